# frozen_string_literal: true

# Parent of all models.
class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true
end
