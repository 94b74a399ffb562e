//! A real Chromium without a window, driven by the DevTools protocol over a pipe. It resolves no
//! name, so that nothing it wants for itself leaves the machine either.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// Where Debian's package puts it.
const CHROMIUM: &str = "/usr/bin/chromium";

/// The browser reads commands from its descriptor 3 and writes to its descriptor 4.
const START: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running browser; ended when it is dropped.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    events: VecDeque<Value>,
    commands: u64,
    profile: PathBuf,
}

/// A page that is open.
pub struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
    requests: Vec<String>,
    complaints: Vec<String>,
}

/// The settings of a page's reader.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Width of the window, in CSS pixels.
    pub width: u32,
    /// Whether dark colours are preferred.
    pub dark: bool,
    /// Whether it is on paper.
    pub paper: bool,
}

impl Browser {
    /// Starts one with an empty profile.
    ///
    /// # Panics
    /// If there is no Chromium.
    #[track_caller]
    pub fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        assert!(
            Path::new(CHROMIUM).exists(),
            "{CHROMIUM} is missing: run .ci/packages tests"
        );
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let profile =
            std::env::temp_dir().join(format!("redyno-browser-{}-{number}", std::process::id()));
        let mut child = Command::new("bash")
            .args(["-c", START, "browser", CHROMIUM])
            .args(["--headless", "--disable-gpu", "--hide-scrollbars"])
            // Root has no sandbox, and the pages are our own.
            .arg("--no-sandbox")
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("--remote-debugging-pipe")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start bash: {error}"));
        let input = child.stdin.take().expect("standard input is piped");
        let output = child.stdout.take().expect("standard output is piped");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap_or_default();
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            input,
            messages,
            events: VecDeque::new(),
            commands: 0,
            profile,
        }
    }

    /// Opens a file and waits until all of it is loaded.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn open(&mut self, file: &Path) -> Page<'_> {
        let target = self.command(None, "Target.createTarget", json!({"url": "about:blank"}));
        let attached = self.command(
            None,
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        let session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        let mut page = Page {
            browser: self,
            session,
            requests: Vec::new(),
            complaints: Vec::new(),
        };
        for domain in ["Page", "Network", "Log", "Runtime"] {
            page.command(&format!("{domain}.enable"), json!({}));
        }
        let url = format!("file://{}", file.display());
        page.command("Page.navigate", json!({"url": url}));
        while !page.take_events() {
            let message = page.browser.message();
            page.browser.events.push_back(message);
        }
        page
    }

    #[track_caller]
    fn command(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.commands += 1;
        let id = self.commands;
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.input
            .write_all(&bytes)
            .unwrap_or_else(|error| panic!("{method}: {error}"));
        loop {
            let message = self.message();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push_back(message);
        }
    }

    #[track_caller]
    fn message(&mut self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("the browser says nothing: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // When the browser is asked to end, it ends its own children, too.
        let close = b"{\"id\":0,\"method\":\"Browser.close\"}\0";
        if self.input.write_all(close).is_err() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.profile));
    }
}

impl Page<'_> {
    #[track_caller]
    fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.browser
            .command(Some(&self.session), method, parameters)
    }

    /// Sorts what has happened; whether the page has come to be loaded.
    fn take_events(&mut self) -> bool {
        let mut loaded = false;
        for event in std::mem::take(&mut self.browser.events) {
            if event["sessionId"] != self.session.as_str() {
                continue;
            }
            let details = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Page.loadEventFired" => loaded = true,
                "Network.requestWillBeSent" => {
                    let url = details["request"]["url"].as_str().unwrap_or_default();
                    self.requests.push(url.to_owned());
                }
                "Log.entryAdded" => self.complaints.push(details["entry"].to_string()),
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" => {
                    self.complaints.push(details.to_string());
                }
                _ => {}
            }
        }
        loaded
    }

    /// Addresses of everything that the page asked for so far, itself included.
    pub fn requests(&mut self) -> Vec<String> {
        self.evaluate("0");
        self.take_events();
        self.requests.clone()
    }

    /// Everything on its console so far.
    pub fn complaints(&mut self) -> Vec<String> {
        self.evaluate("0");
        self.take_events();
        self.complaints.clone()
    }

    /// The value of an expression of JavaScript.
    ///
    /// # Panics
    /// If it throws.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let result = self.command(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(
            result["exceptionDetails"].is_null(),
            "{}",
            result["exceptionDetails"]
        );
        result["result"]["value"].clone()
    }

    /// Shows it to another reader.
    #[track_caller]
    pub fn show(&mut self, view: View) {
        let View { width, dark, paper } = view;
        let scheme = if dark { "dark" } else { "light" };
        let medium = if paper { "print" } else { "screen" };
        self.command(
            "Emulation.setEmulatedMedia",
            json!({"media": medium, "features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
        self.command(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": width,
                "height": 800,
                "deviceScaleFactor": if width < 600 { 2 } else { 1 },
                "mobile": width < 600,
            }),
        );
        // After two frames the new layout is there.
        self.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))",
        );
    }

    /// A picture of all of it.
    #[track_caller]
    pub fn picture(&mut self) -> Vec<u8> {
        let picture = self.command(
            "Page.captureScreenshot",
            json!({"format": "png", "captureBeyondViewport": true}),
        );
        let data = picture["data"].as_str().expect("a picture");
        BASE64.decode(data).expect("base64")
    }
}
