# frozen_string_literal: true

# A system that has left and is still known upstream.
class DeregisteredSystem < ApplicationRecord
end
