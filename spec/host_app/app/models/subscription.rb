# frozen_string_literal: true

# What pays for it.
class Subscription < ApplicationRecord
end
