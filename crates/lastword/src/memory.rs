//! How the process takes memory from the machine.

/// Facts are made on one thread and freed on another, a hundred thousand a second: the system's allocator
/// takes its locks for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has memory come in pages of 4 KiB, not of 2 MiB. The allocator asks for the large ones, and each of them is cleared
/// when its first byte is touched: on a virtual machine that takes up to 8 ms, in which a replica answers nobody and
/// confirms nothing. A replica that comes back touches dozens of them within its first second.
pub(crate) fn take_small_pages() {
    #[cfg(target_os = "linux")]
    {
        // Refused, all is as it was: slower at times, and right.
        let _ = rustix::thread::disable_transparent_huge_pages(true);
    }
}
