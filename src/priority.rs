//! Who gives way where there are fewer cores than work: whoever works in the background to whoever waits for an answer.

/// How much later than others a thread of the background gets a core, in the system's steps from 0 to 19. At 10 it gets a tenth of one
/// that somebody else wants, and all of one that nobody wants.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lets the calling thread, and those that it starts, give way to others. It is for work that takes whole cores, and holds no lock that
/// a search waits for. Only Linux knows a priority for each thread that anybody may lower.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    // Nobody is allowed to be nice here: then all are equal, as before.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// Runs parallel work on threads of its own that give way: on the common ones, a search that scans would wait behind all of it.
pub(crate) fn beside_searches<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let threads = rayon::ThreadPoolBuilder::new().start_handler(|_| give_way());
    match threads.build() {
        Ok(threads) => threads.install(work),
        // There are no threads to be had: then it takes longer.
        Err(_) => work(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn a_thread_gives_way_with_those_that_it_starts_and_nobody_else_does() {
        let before = getpriority_process(None).unwrap();
        let niceness = || getpriority_process(None).unwrap();
        let background = thread::spawn(move || {
            give_way();
            (niceness(), thread::spawn(niceness).join().unwrap())
        });
        let nicer = before.max(NICENESS);
        assert_eq!(background.join().unwrap(), (nicer, nicer));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
