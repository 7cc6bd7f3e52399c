# frozen_string_literal: true

# A system may use a product.
class Activation < ApplicationRecord
  belongs_to :system
end
