//! Everything `unsafe` in this project: waiting without Ruby's lock, noticing a fork, and looking at
//! a socket that is Ruby's.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use magnus::Ruby;
use rb_sys::rb_thread_call_without_gvl2;

/// Runs `work` with the lock released, so that other Ruby threads go on, and takes it again.
///
/// `wake` is called (by another thread) when this one is wanted: Thread#kill, Timeout, a signal.
/// It has to make `work` return soon; what the interruption asks for is for the caller to find out,
/// with `Ruby::thread_check_ints`, once every Rust value it holds may be dropped. That is why this
/// is `…_gvl2`: plain `…_gvl` would raise by itself and jump over the frames between.
///
/// `None`: an interruption was pending already, or `work` panicked; it did not return a value.
///
/// `work` is `Send`, so no Ruby value can slip into it.
pub fn without_gvl<R, W, K>(_holds_the_lock: &Ruby, work: W, wake: K) -> Option<R>
where
    R: Send,
    W: FnOnce() -> R + Send,
    K: Fn() + Sync,
{
    let mut call = Call {
        work: Some(work),
        result: None,
    };
    let data = ptr::from_mut(&mut call).cast::<c_void>();
    let wake_data = ptr::from_ref(&wake).cast_mut().cast::<c_void>();
    // SAFETY: `call` and `wake` outlive this call, which returns only after `run` has; Ruby calls
    // `run::<R, W>` with `data` at most once and `interrupt::<K>` with `wake_data` only meanwhile.
    // Neither lets a panic out. A `Ruby` exists only where the lock is held.
    unsafe {
        rb_thread_call_without_gvl2(Some(run::<R, W>), data, Some(interrupt::<K>), wake_data);
    }
    call.result
}

struct Call<R, W> {
    work: Option<W>,
    result: Option<R>,
}

unsafe extern "C" fn run<R, W: FnOnce() -> R>(data: *mut c_void) -> *mut c_void {
    // SAFETY: `without_gvl` passes a `Call<R, W>` of its own that nobody else touches meanwhile.
    let call = unsafe { &mut *data.cast::<Call<R, W>>() };
    if let Some(work) = call.work.take() {
        call.result = catch_unwind(AssertUnwindSafe(work)).ok();
    }
    ptr::null_mut()
}

unsafe extern "C" fn interrupt<K: Fn()>(data: *mut c_void) {
    // SAFETY: `without_gvl` passes a `K` of its own, shared and alive while `run` runs.
    let wake = unsafe { &*data.cast::<K>() };
    let _ = catch_unwind(AssertUnwindSafe(wake));
}

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How many forks lie between the process that loaded the library and this one.
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

const NO_SOCKET: RawFd = -1;
static LISTENING: AtomicI32 = AtomicI32::new(NO_SOCKET);

/// Has children of this process close `socket`, on which it listens: one that only has it and does not
/// accept would keep it open, and connections unanswered, when this process is gone.
pub fn close_in_children(socket: RawFd) {
    LISTENING.store(socket, Ordering::Release);
}

/// Has the child of every later fork count itself, see [`generation`], and close what is not its own. To
/// be called once.
pub fn prepare_for_forks() -> Result<(), i32> {
    unsafe extern "C" fn child() {
        GENERATION.fetch_add(1, Ordering::AcqRel);
        let socket = LISTENING.swap(NO_SOCKET, Ordering::AcqRel);
        if socket != NO_SOCKET {
            // SAFETY: the parent listens on it for as long as it lives. Its owner is on the stack of a
            // thread that the child does not have, so nobody closes the number again.
            unsafe { libc::close(socket) };
        }
    }
    // SAFETY: the handler only touches atomics and closes a file, which is allowed between fork and exec.
    match unsafe { libc::pthread_atfork(None, None, Some(child)) } {
        0 => Ok(()),
        error => Err(error),
    }
}

/// Whether the client at the other end of `socket` is gone: it has closed the connection, or the
/// connection was reset. Whoever has closed only its own half may still read; over TCP that cannot be
/// told from the rest, and Puma takes it for gone as well, elsewhere it can. In doubt it is there.
///
/// A number that is no socket, or has become another one, does no harm but for the answer.
#[cfg(target_os = "linux")]
pub fn left(socket: RawFd) -> bool {
    let mut look = libc::pollfd {
        fd: socket,
        events: libc::POLLRDHUP,
        revents: 0,
    };
    // SAFETY: `look` is one `pollfd`, and there is nothing to wait for.
    let changed = unsafe { libc::poll(&raw mut look, 1, 0) } == 1;
    if !changed || look.revents & libc::POLLNVAL != 0 {
        return false;
    }
    look.revents & (libc::POLLHUP | libc::POLLERR) != 0
        || (look.revents & libc::POLLRDHUP != 0 && !is_unix(socket))
}

#[cfg(target_os = "linux")]
fn is_unix(socket: RawFd) -> bool {
    let mut domain: libc::c_int = 0;
    let mut length: libc::socklen_t = 4;
    // SAFETY: the option is an `int`, and `length` says so.
    let answered = unsafe {
        let domain = (&raw mut domain).cast::<c_void>();
        libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_DOMAIN,
            domain,
            &raw mut length,
        )
    };
    answered != 0 || domain == libc::AF_UNIX
}

/// Elsewhere nobody can tell.
#[cfg(not(target_os = "linux"))]
pub fn left(_socket: RawFd) -> bool {
    false
}

/// A value of this process that is never freed: threads may use it until the process ends. Replaced,
/// the old one is leaked.
pub struct Leaked<T>(AtomicPtr<T>);

impl<T: Send + Sync> Leaked<T> {
    /// Without a value.
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value, if there is one.
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: null, or a box that `set` has leaked: it is never freed, and shared from then on.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Makes `value` the value.
    pub fn set(&self, value: T) -> &'static T {
        let value = Box::leak(Box::new(value));
        self.0.store(value, Ordering::Release);
        value
    }

    /// Forgets the value.
    pub fn clear(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }
}
