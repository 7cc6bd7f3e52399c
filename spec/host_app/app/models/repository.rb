# frozen_string_literal: true

# Packages, mirrored or not.
class Repository < ApplicationRecord
end
