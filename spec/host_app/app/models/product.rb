# frozen_string_literal: true

# What can be installed.
class Product < ApplicationRecord
  has_one :service
  has_many :repositories, through: :service
end
