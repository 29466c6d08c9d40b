//! A program that uses an MCP server over standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

/// The other program. Dropping it ends the server.
#[derive(Debug)]
pub struct McpClient {
    child: Child,
    /// `None` once it is closed.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    id: u64,
}

impl McpClient {
    /// Starts the server and shakes hands with it.
    pub fn start(server: &mut Command) -> Self {
        let piped = server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().expect("the server can be started");
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("a pipe")));
        let mut client = Self { child, to, from, id: 0 };
        let about = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
        });
        assert_eq!(client.ask("initialize", &about)["serverInfo"]["name"], "aura");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Value) {
        let to = self.to.as_mut().expect("the server's input is open");
        writeln!(to, "{message}").expect("the server reads");
    }

    /// Sends a request.
    pub fn request(&mut self, method: &str, params: &Value) {
        self.id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}));
    }

    /// The result of the last request.
    pub fn result(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the server answers");
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|cause| panic!("{cause}: {line}"));
        assert_eq!(answer["id"], self.id, "{answer}");
        answer["result"].take()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.request(method, params);
        self.result()
    }

    /// The names of the tools.
    pub fn tools(&mut self) -> Vec<String> {
        let listed = self.ask("tools/list", &json!({}));
        let tools = listed["tools"].as_array().expect("a list of tools");
        tools.iter().filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect()
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Closes the server's input, and waits until it ends.
    pub fn close(&mut self) -> ExitStatus {
        self.to = None;
        self.child.wait().expect("the server ends")
    }
}

impl Drop for McpClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
