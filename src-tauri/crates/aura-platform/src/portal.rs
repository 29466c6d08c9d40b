//! The desktop portal: what Wayland desktops let a program do beyond its own windows, each with the person's permission.

use ashpd::zbus;

/// The ID of AURA's desktop entry. The portal remembers keys and permissions by it.
const APP_ID: &str = "app.aura.desktop";

/// A connection of its own to the message bus, on which the portal knows this program by its ID. What is asked of the portal ends with it.
///
/// # Errors
/// There is no message bus.
pub(crate) async fn connect() -> zbus::Result<zbus::Connection> {
    let connection = zbus::Connection::session().await?;
    if let Ok(app_id) = APP_ID.parse() {
        // Before anything else is asked. A portal that is older has no such registry, and a sandbox tells the ID itself.
        let registered = ashpd::register_host_app_with_connection(connection.clone(), app_id).await;
        if let Err(cause) = registered {
            tracing::debug!(%cause, "the desktop portal does not register programs");
        }
    }
    Ok(connection)
}
