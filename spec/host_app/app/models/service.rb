# frozen_string_literal: true

# What a product is to zypper: its repositories.
class Service < ApplicationRecord
  has_and_belongs_to_many :repositories
end
