//! The Tauri commands, which are all that a web view can call: run an operation, subscribe to events, cancel, open a link elsewhere.

use aura_core::error::{Error, Result};
use aura_core::event::Event;
use aura_core::{Assistant, api};
use parking_lot::Mutex;
use serde_json::Value;
use tauri::ipc::Channel;
use tauri::{State, WebviewWindow};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::AbortOnDropHandle;

use crate::links;
use crate::overlay::{self, OverlayFeed, concerns_main, snapshot};
use crate::windows::OVERLAY;

/// The main window's event subscription. A page that reloads replaces it.
#[derive(Default)]
pub(crate) struct MainSubscription(Mutex<Option<AbortOnDropHandle<()>>>);

/// Runs an operation by its name.
#[tauri::command]
pub(crate) async fn rpc(assistant: State<'_, Assistant>, operation: String, request: Value) -> Result<Value> {
    api::call(&assistant, &operation, request).await
}

/// Sends events to the calling window from now on, beginning with a snapshot: the overlay is not allowed to request one.
#[tauri::command]
pub(crate) fn subscribe<R: tauri::Runtime>(
    window: WebviewWindow<R>,
    assistant: State<'_, Assistant>,
    subscription: State<'_, MainSubscription>,
    overlay: State<'_, OverlayFeed>,
    channel: Channel<Event>,
) {
    if window.label() == OVERLAY {
        overlay.connect(channel, || snapshot(&assistant));
        return;
    }
    let forward = forward_to_main(Assistant::clone(&assistant), OverlayFeed::clone(&overlay), channel);
    let tauri::async_runtime::JoinHandle::Tokio(task) = tauri::async_runtime::spawn(forward);
    *subscription.0.lock() = Some(AbortOnDropHandle::new(task));
}

/// Sends a snapshot and all later events, except the input level while the overlay shows it.
async fn forward_to_main(assistant: Assistant, overlay: OverlayFeed, channel: Channel<Event>) {
    let mut events = assistant.subscribe();
    let mut next = snapshot(&assistant);
    loop {
        if concerns_main(&next, &overlay) && channel.send(next).is_err() {
            return;
        }
        next = match events.recv().await {
            Ok(event) => event,
            // A page that fell behind has missed events; it receives a new snapshot.
            Err(RecvError::Lagged(_)) => snapshot(&assistant),
            Err(RecvError::Closed) => return,
        };
    }
}

/// Cancels the current turn.
#[tauri::command]
pub(crate) async fn cancel(assistant: State<'_, Assistant>) -> Result<()> {
    api::cancel(&assistant, api::Nothing {}).await.map(drop)
}

/// Begins to move the calling window with the pointer. Only the overlay is allowed to: it has no title bar.
#[tauri::command]
pub(crate) fn drag_overlay<R: tauri::Runtime>(window: WebviewWindow<R>) -> Result<()> {
    overlay::drag(&window).map_err(Error::internal)
}

/// Opens a link of an answer in the system's browser or mail program.
#[tauri::command]
pub(crate) async fn open_link(address: String) -> Result<()> {
    tokio::task::spawn_blocking(move || links::open(&address)).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tauri::ipc::{CallbackFn, InvokeBody};
    use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder};
    use tauri::webview::InvokeRequest;
    use tauri::{WebviewUrl, WebviewWindow, WebviewWindowBuilder};

    use super::*;
    use crate::windows::MAIN;

    /// The app with its real commands and capabilities, on Tauri's mock runtime, which needs no display.
    async fn windows() -> (tempfile::TempDir, WebviewWindow<MockRuntime>, WebviewWindow<MockRuntime>) {
        let folder = tempfile::tempdir().unwrap();
        let paths = aura_platform::Paths::at(folder.path().join("config"), folder.path().join("data")).unwrap();
        let ports = aura_platform::ports(&paths, None).unwrap();
        let setup = aura_core::Setup { data: paths.data, ..aura_core::Setup::default() };
        let assistant = Assistant::start(ports, setup).await.unwrap();
        let app = crate::desktop::builder(mock_builder(), assistant, overlay::Places::default())
            .build(crate::interface::context())
            .unwrap();
        let window = |label| WebviewWindowBuilder::new(&app, label, WebviewUrl::default()).build().unwrap();
        (folder, window(MAIN), window(OVERLAY))
    }

    fn call(window: &WebviewWindow<MockRuntime>, command: &str, body: Value) -> Result<Value, Value> {
        let request = InvokeRequest {
            cmd: command.into(),
            callback: CallbackFn(0),
            error: CallbackFn(1),
            url: "tauri://localhost".parse().unwrap(),
            body: InvokeBody::Json(body),
            headers: Default::default(),
            invoke_key: INVOKE_KEY.into(),
        };
        get_ipc_response(window, request).map(|body| body.deserialize().unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_main_window_calls_operations_and_receives_typed_errors() {
        let (_folder, main, _) = windows().await;
        let snapshot = call(&main, "rpc", json!({"operation": "snapshot", "request": {}})).unwrap();
        assert_eq!(snapshot["stage"], "idle");
        let error = call(&main, "rpc", json!({"operation": "ask", "request": {"text": " "}})).unwrap_err();
        assert_eq!(error["code"], "invalid_request");
        assert!(error["message"].as_str().unwrap().contains("empty"));
        let error = call(&main, "rpc", json!({"operation": "format_disk", "request": {}})).unwrap_err();
        assert_eq!(error["code"], "not_found");
        let error = call(&main, "open_link", json!({"address": "file:///etc/passwd"})).unwrap_err();
        assert_eq!(error["code"], "invalid_request");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_overlay_cannot_call_operations() {
        let (_folder, _, overlay) = windows().await;
        let refused = call(&overlay, "rpc", json!({"operation": "snapshot", "request": {}})).unwrap_err();
        assert!(refused.to_string().contains("not allowed"), "{refused}");
        assert_eq!(call(&overlay, "cancel", json!({})), Ok(Value::Null));
        let refused = call(&overlay, "open_link", json!({"address": "https://example.org"})).unwrap_err();
        assert!(refused.to_string().contains("not allowed"), "{refused}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_overlay_alone_is_moved_by_its_page() {
        let (_folder, main, overlay) = windows().await;
        let refused = call(&main, "drag_overlay", json!({})).unwrap_err();
        assert!(refused.to_string().contains("not allowed"), "{refused}");
        assert_eq!(call(&overlay, "drag_overlay", json!({})), Ok(Value::Null));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_window_may_use_a_plugin() {
        let (_folder, main, overlay) = windows().await;
        for window in [&main, &overlay] {
            for command in [
                "plugin:event|emit",
                "plugin:window|create",
                "plugin:webview|create_webview",
                "plugin:path|resolve_directory",
            ] {
                assert!(call(window, command, json!({})).is_err(), "{command}");
            }
        }
    }
}
