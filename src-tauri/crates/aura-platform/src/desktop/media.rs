//! Media players, by the interface that they share on the session bus: MPRIS.

use aura_core::error::{Error, ErrorCode, Result};
use zbus::blocking::{Connection, Proxy, fdo::DBusProxy};

/// What the names of media players begin with.
const PLAYERS: &str = "org.mpris.MediaPlayer2.";
const PATH: &str = "/org/mpris/MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";

/// Calls a method of the player that plays; without one, of the player that pauses.
///
/// # Errors
/// When no player runs, or it does not answer.
pub(super) fn call(method: &str) -> Result<()> {
    let failed = |cause: zbus::Error| {
        Error::new(ErrorCode::Desktop, "The media player does not answer. Use its own window.").because(cause)
    };
    let bus = Connection::session().map_err(failed)?;
    let names = DBusProxy::new(&bus).map_err(failed)?.list_names().map_err(|cause| failed(cause.into()))?;
    let mut players = Vec::new();
    for name in names.into_iter().filter(|name| name.starts_with(PLAYERS)) {
        let player = Proxy::new(&bus, name.to_string(), PATH, PLAYER).map_err(failed)?;
        let status = player.get_property::<String>("PlaybackStatus").unwrap_or_default();
        players.push((rank(&status), player));
    }
    let player = players.into_iter().min_by_key(|(rank, _)| *rank).map(|(_, player)| player);
    let player = player.ok_or_else(|| {
        Error::new(ErrorCode::Desktop, "No media player runs that can be controlled. Open one first, then ask again.")
    })?;
    player.call_method(method, &()).map(drop).map_err(failed)
}

fn rank(status: &str) -> u8 {
    match status {
        "Playing" => 0,
        "Paused" => 1,
        _ => 2,
    }
}
