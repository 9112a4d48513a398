//! What a command or an event has to say: to a person in lines, to a program as JSON.

use serde_json::{Value, json};

/// One thing that is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    /// For a person. What others wrote in it is made harmless where it goes out.
    pub lines: Vec<String>,
    /// For a program: an object.
    pub json: Value,
    /// The command was carried out.
    pub done: bool,
    /// How many messages wait, and come now.
    pub pending: u64,
    /// Whether there is a login after this, if it changes that.
    pub login: Option<bool>,
    /// It was given up, since no server answered.
    pub given_up: bool,
}

impl Said {
    /// A command was carried out.
    pub fn done(line: impl Into<String>) -> Self {
        Self::lines(vec![line.into()])
    }

    /// A command was carried out, and has these lines to say.
    pub fn lines(lines: Vec<String>) -> Self {
        Self { lines, json: json!({ "ok": {} }), done: true, pending: 0, login: None, given_up: false }
    }

    /// A command was not carried out. The code is for programs.
    pub fn refused(line: impl Into<String>, code: &str) -> Self {
        let line = line.into();
        let json = json!({ "error": { "code": code, "text": line } });
        Self { json, done: false, ..Self::done(line) }
    }

    /// Something has happened, or is to be known. The name is for programs.
    pub fn event(line: impl Into<String>, event: &str, more: Value) -> Self {
        let mut json = json!({ "event": event });
        merge(&mut json, more);
        Self { json, ..Self::done(line) }
    }

    /// The same, for programs only.
    pub fn only_json(json: Value) -> Self {
        Self { json, ..Self::lines(Vec::new()) }
    }

    /// With this as what was answered.
    pub fn with(mut self, ok: Value) -> Self {
        self.json = json!({ "ok": ok });
        self
    }

    /// With whether there is a login from now on.
    pub fn login(mut self, login: bool) -> Self {
        self.login = Some(login);
        self
    }

    /// As the answer to the command on this line of the input.
    pub fn answering(mut self, line: u64, command: Option<&str>) -> Self {
        let mut json = json!({ "line": line });
        if let Some(command) = command {
            json["command"] = command.into();
        }
        merge(&mut json, self.json);
        self.json = json;
        self
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
