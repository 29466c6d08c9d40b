//! The content security policy: a page of AURA runs no foreign code and loads nothing from other origins.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::wait_until;
use aura_tests::window::{MAIN, OVERLAY, Window};
use serde_json::{Value, json};

/// Tries each forbidden action and returns which of them worked. The argument is the address of a foreign server.
const TRY: &str = r#"
const [there, done] = arguments;
const blocked = [];
document.addEventListener('securitypolicyviolation', (event) => blocked.push(event.effectiveDirective));
const came = {};
const inline = document.createElement('script');
inline.textContent = 'window.inlineRan = true';
document.head.append(inline);
came.inline = window.inlineRan === true;
const handler = document.createElement('button');
handler.setAttribute('onclick', 'window.handlerRan = true');
document.body.append(handler);
handler.click();
came.handler = window.handlerRan === true;
try { came.eval = (0, eval)('1 + 1') === 2 } catch { came.eval = false }
try { came.function = new Function('return true')() } catch { came.function = false }
const style = document.createElement('style');
style.textContent = 'body { --inline-style: yes }';
document.head.append(style);
came.style = getComputedStyle(document.body).getPropertyValue('--inline-style').trim() === 'yes';
const ends = (element, address) => new Promise((tell) => {
  element.onload = () => tell(true);
  element.onerror = () => tell(false);
  setTimeout(() => tell(false), 3000);
  element.src = address;
});
const remote = document.createElement('script');
const frame = document.createElement('iframe');
document.body.append(remote);
const waiting = {
  fetch: fetch(there + '/fetch', { mode: 'no-cors' }).then(() => true, () => false),
  beacon: Promise.resolve().then(() => navigator.sendBeacon?.(there + '/beacon') && false),
  socket: new Promise((tell) => {
    try {
      const socket = new WebSocket(there.replace('http', 'ws') + '/socket');
      socket.onopen = () => tell(true);
      socket.onerror = () => tell(false);
      setTimeout(() => tell(false), 3000);
    } catch { tell(false) }
  }),
  image: ends(new Image(), there + '/image.png'),
  data: ends(new Image(), 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'),
  script: ends(remote, there + '/script.js'),
};
frame.src = there + '/frame';
document.body.append(frame);
Promise.all(Object.entries(waiting).map(async ([name, end]) => { came[name] = await end })).then(() => {
  for (const element of [inline, handler, style, remote, frame]) element.remove();
  setTimeout(() => done({ came, blocked }), 200);
});
"#;

/// A foreign server that answers every request and counts the connections.
fn foreign_server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it listens"));
    let came = Arc::new(AtomicUsize::new(0));
    let count = came.clone();
    std::thread::spawn(move || {
        for mut caller in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = caller.write_all(
                b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    (address, came)
}

#[test]
fn foreign_code_and_foreign_addresses_are_blocked() {
    with_desktop("policy::foreign_code_and_foreign_addresses_are_blocked", || {
        let window = Window::open(Aura::new());
        let (address, callers) = foreign_server();
        for page in [MAIN, OVERLAY] {
            window.switch_to(page);
            let loaded = || window.script("return document.readyState", &[]) == "complete";
            assert!(wait_until(Duration::from_secs(20), loaded), "{page} is not loaded");
            let found = window.script_async(TRY, &[json!(address)]);
            let came = found["came"].as_object().expect("each try has an end");
            assert!(came.len() >= 10, "{page}: {found:#}");
            for (what, worked) in came {
                assert_eq!(worked, &Value::from(false), "{page}: {what} worked: {found:#}");
            }
            let blocked: Vec<&str> =
                found["blocked"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for directive in ["script-src-elem", "img-src", "connect-src"] {
                assert!(blocked.contains(&directive), "{page}: no violation of {directive} was reported: {found:#}");
            }
        }
        assert_eq!(callers.load(Ordering::SeqCst), 0, "the foreign server was called");
    });
}
