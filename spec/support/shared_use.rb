# frozen_string_literal: true

require 'fileutils'

# Something that several processes use at once and the last of them clears away: a running
# MariaDB, a link in somebody else's directory. Built on flock, so a process that was killed
# counts as gone without having said goodbye.
#
# Only what a user of it has made is cleared away; what was there before stays.
#
# @example
#   use = SharedUse.new('tmp/thing')
#   use.enter { make_it unless there?; ... use.made! }
#   use.leave { clear_it_away }
class SharedUse
  # @param path [String] where its lock files go, without extension
  def initialize(path)
    @path = path
  end

  # Becomes a user of the thing. Nobody else enters or leaves while the block runs.
  #
  # @yield makes the thing if it is not there; calls {#made!} when it did
  # @return [Object] what the block gave
  def enter
    FileUtils.mkdir_p(File.dirname(@path))
    exclusively do
      join unless @users
      yield
    end
  end

  # Notes that one of the users made the thing, hence that the last one clears it away.
  #
  # @return [void]
  def made!
    FileUtils.touch("#{@path}.made")
  end

  # Ceases to be a user.
  #
  # @yield clears the thing away: called for the last user, if a user had made it
  # @return [void]
  def leave
    return unless @users

    exclusively do
      if alone? && File.exist?("#{@path}.made")
        yield
        FileUtils.rm_f("#{@path}.made")
      end
      @users.close
      @users = nil
    end
  end

  private

  # A note left by users that are all gone is none of this one's business: whatever they left
  # behind was there before.
  def join
    @users = lock_file('users')
    FileUtils.rm_f("#{@path}.made") if alone?
  end

  # Turning the shared lock into an exclusive one succeeds for the only user. When it fails the
  # shared lock may be lost, hence it is taken anew; {#exclusively} keeps others from the gap.
  def alone?
    @users.flock(File::LOCK_EX | File::LOCK_NB) == 0
  ensure
    @users.flock(File::LOCK_SH)
  end

  def exclusively
    lock_file('lock') do |file|
      file.flock(File::LOCK_EX)
      yield
    end
  end

  def lock_file(name, &)
    File.open("#{@path}.#{name}", File::RDWR | File::CREAT, 0o644, &)
  end
end
