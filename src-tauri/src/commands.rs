//! All that crosses to the web view: call an operation, listen to events, stop.

use std::collections::HashMap;
use std::sync::Mutex;

use aura_core::error::{Error, Result};
use aura_core::event::Event;
use aura_core::{Assistant, api};
use serde_json::Value;
use tauri::ipc::Channel;
use tauri::{State, WebviewWindow};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::AbortOnDropHandle;

use crate::overlay::{self, OVERLAY, Shown};

/// One listener per window: a page that loads again replaces its own.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<HashMap<String, AbortOnDropHandle<()>>>);

/// Calls an operation by its name.
#[tauri::command]
pub(crate) async fn rpc(assistant: State<'_, Assistant>, operation: String, request: Value) -> Result<Value> {
    api::call(&assistant, &operation, request).await
}

/// Sends what concerns the window from now on, the state of things first: the overlay may not ask for it.
#[tauri::command]
pub(crate) fn subscribe<R: tauri::Runtime>(
    window: WebviewWindow<R>,
    assistant: State<'_, Assistant>,
    listeners: State<'_, Listeners>,
    shown: State<'_, Shown>,
    channel: Channel<Event>,
) -> Result<()> {
    let (assistant, shown) = (Assistant::clone(&assistant), Shown::clone(&shown));
    let task = if window.label() == OVERLAY {
        tauri::async_runtime::spawn(overlay::tell(assistant, shown, channel))
    } else {
        tauri::async_runtime::spawn(tell_main(assistant, shown, channel))
    };
    let tauri::async_runtime::JoinHandle::Tokio(task) = task;
    let mut listeners = listeners.0.lock().map_err(Error::internal)?;
    listeners.insert(window.label().to_owned(), AbortOnDropHandle::new(task));
    Ok(())
}

/// Every event but the level while the overlay shows it.
async fn tell_main(assistant: Assistant, shown: Shown, channel: Channel<Event>) {
    let mut events = assistant.subscribe();
    let state = || Event::Changed { snapshot: Box::new(assistant.snapshot()) };
    let mut next = state();
    loop {
        if overlay::concerns_main(&next, &shown) && channel.send(next).is_err() {
            return;
        }
        next = match events.recv().await {
            Ok(event) => event,
            // A page that was asleep missed some: it is told how things are.
            Err(RecvError::Lagged(_)) => state(),
            Err(RecvError::Closed) => return,
        };
    }
}

/// Everything in flight stops.
#[tauri::command]
pub(crate) async fn cancel(assistant: State<'_, Assistant>) -> Result<()> {
    api::cancel(&assistant, api::Nothing {}).await.map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tauri::ipc::{CallbackFn, InvokeBody};
    use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder};
    use tauri::webview::InvokeRequest;
    use tauri::{WebviewUrl, WebviewWindow, WebviewWindowBuilder};

    use super::*;

    /// The app with its real commands and capabilities, on a runtime without a display.
    async fn windows() -> (tempfile::TempDir, WebviewWindow<MockRuntime>, WebviewWindow<MockRuntime>) {
        let folder = tempfile::tempdir().unwrap();
        let paths = aura_platform::Paths::at(folder.path().join("config"), folder.path().join("data")).unwrap();
        let ports = aura_platform::ports(&paths).unwrap();
        let setup = aura_core::Setup { data: paths.data, ..aura_core::Setup::default() };
        let assistant = Assistant::start(ports, setup).await.unwrap();
        let app = crate::desktop::builder(mock_builder(), assistant).build(crate::interface::context()).unwrap();
        let window = |label| WebviewWindowBuilder::new(&app, label, WebviewUrl::default()).build().unwrap();
        (folder, window("main"), window("hud"))
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
    async fn the_main_window_calls_operations_and_gets_typed_errors() {
        let (_folder, main, _) = windows().await;
        let snapshot = call(&main, "rpc", json!({"operation": "snapshot", "request": {}})).unwrap();
        assert_eq!(snapshot["stage"], "idle");
        let error = call(&main, "rpc", json!({"operation": "ask", "request": {"text": " "}})).unwrap_err();
        assert_eq!(error["code"], "invalid_request");
        assert!(error["message"].as_str().unwrap().contains("empty"));
        let error = call(&main, "rpc", json!({"operation": "format_disk", "request": {}})).unwrap_err();
        assert_eq!(error["code"], "not_found");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_overlay_cannot_call_operations() {
        let (_folder, _, overlay) = windows().await;
        let refused = call(&overlay, "rpc", json!({"operation": "snapshot", "request": {}})).unwrap_err();
        assert!(refused.to_string().contains("not allowed"), "{refused}");
        assert_eq!(call(&overlay, "cancel", json!({})), Ok(Value::Null));
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
