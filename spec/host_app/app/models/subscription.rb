# frozen_string_literal: true

# What pays for products.
class Subscription < ApplicationRecord
  # @return [ActiveRecord::Relation<Product>] those of the classes it is for
  def products
    classes = 'SELECT product_class FROM subscription_product_classes WHERE subscription_id = ?'
    Product.where("product_class IN (#{classes})", id)
  end
end
