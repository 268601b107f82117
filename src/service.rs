//! What a service manager is told: that the daemon is ready, that it turns, and that it stops.

use crate::stop::Stop;

/// Tells systemd, where it started the daemon and asked to be told, until the daemon is told to stop. It is told by the runtime on
/// which requests are answered: where that hangs, nobody says any more that it turns, and systemd starts the daemon anew.
#[cfg(target_os = "linux")]
pub(crate) async fn tell(stop: Stop) {
    use sd_notify::NotifyState;
    use tracing::warn;

    let told = |state: NotifyState<'_>| {
        if let Err(error) = sd_notify::notify(&[state]) {
            warn!(%error, "the service manager cannot be told how the daemon is");
        }
    };
    told(NotifyState::Ready);
    // No interval can be of no length.
    let within = sd_notify::watchdog_enabled().filter(|within| !within.is_zero());
    let turns = async {
        match within {
            Some(within) => {
                let mut pulse = tokio::time::interval(within / 2);
                loop {
                    pulse.tick().await;
                    told(NotifyState::Watchdog);
                }
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.asked() => told(NotifyState::Stopping),
        () = turns => {}
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) async fn tell(_stop: Stop) {}
