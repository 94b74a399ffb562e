//! Scripts in Lua 5.1, as the server runs them: KEYS and ARGV, `redis.call` and `redis.pcall`, and
//! what becomes of values and errors on the way in and out.

use std::cell::RefCell;
use std::collections::BTreeMap;

use mlua::{Function, Lua, LuaOptions, StdLib, Table, Value, Variadic};

use super::call::{Call, Session};
use super::reply::Reply;
use super::server::Server;
use super::sha1;

const PRELUDE: &str = include_str!("prelude.lua");

/// The scripts that a server knows, and the interpreter that runs them.
#[derive(Default)]
pub struct Scripts {
    interpreter: Option<Lua>,
    known: BTreeMap<String, Function>,
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.known.keys()).finish()
    }
}

impl Scripts {
    fn interpreter(&mut self) -> Lua {
        self.interpreter
            .get_or_insert_with(|| {
                let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH;
                Lua::new_with(libraries, LuaOptions::default()).expect("an interpreter")
            })
            .clone()
    }

    /// Learns a script; its name.
    fn learn(&mut self, text: &[u8]) -> Result<String, Reply> {
        let name = sha1::hexadecimal(text);
        if !self.known.contains_key(&name) {
            let function = self
                .interpreter()
                .load(text)
                .set_name("@user_script")
                .into_function()
                .map_err(|error| {
                    Reply::error(format!(
                        "Error compiling script (new function): {}",
                        message(&error)
                    ))
                })?;
            self.known.insert(name.clone(), function);
        }
        Ok(name)
    }
}

/// What the interpreter said, without what the library says around it.
fn message(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } | mlua::Error::RuntimeError(message) => {
            message.clone()
        }
        other => other.to_string(),
    }
}

/// SCRIPT LOAD
pub(super) fn load(call: &mut Call<'_>) -> Reply {
    let text = call.word(2).to_vec();
    match call.server.scripts.learn(&text) {
        Ok(name) => Reply::Bulk(name.into_bytes()),
        Err(error) => error,
    }
}

/// SCRIPT EXISTS
pub(super) fn exists(call: &mut Call<'_>) -> Reply {
    let known = |word: &Vec<u8>| {
        let name = String::from_utf8_lossy(word).to_lowercase();
        Reply::count(usize::from(call.server.scripts.known.contains_key(&name)))
    };
    Reply::Array(call.words[2..].iter().map(known).collect())
}

/// SCRIPT FLUSH
pub(super) fn flush(call: &mut Call<'_>) -> Reply {
    call.server.scripts.known.clear();
    Reply::OK
}

/// EVAL
pub(super) fn eval(call: &mut Call<'_>) -> Reply {
    let text = call.word(1).to_vec();
    if let Err(error) = count_of_keys(call) {
        return error;
    }
    match call.server.scripts.learn(&text) {
        Ok(name) => run(call, &name),
        Err(error) => error,
    }
}

/// EVALSHA
pub(super) fn evalsha(call: &mut Call<'_>) -> Reply {
    let name = String::from_utf8_lossy(call.word(1)).to_lowercase();
    if let Err(error) = count_of_keys(call) {
        return error;
    }
    if !call.server.scripts.known.contains_key(&name) {
        return Reply::Error("NOSCRIPT No matching script. Please use EVAL.".to_owned());
    }
    run(call, &name)
}

fn count_of_keys(call: &Call<'_>) -> Result<usize, Reply> {
    let count = call.integer(2)?;
    let room = i64::try_from(call.words.len() - 3).unwrap_or(i64::MAX);
    if count > room {
        return Err(Reply::error(
            "Number of keys can't be greater than number of args",
        ));
    }
    usize::try_from(count).map_err(|_| Reply::error("Number of keys can't be negative"))
}

/// The keys that a call of a script names.
pub(super) fn keys_of<'w>(name: &str, words: &'w [Vec<u8>]) -> Vec<&'w [u8]> {
    if !matches!(name, "eval" | "evalsha") {
        return Vec::new();
    }
    let count = words
        .get(2)
        .map(|word| digits_at_the_beginning(word))
        .filter(|count| *count <= words.len() - 3)
        .unwrap_or(0);
    words
        .iter()
        .skip(3)
        .take(count)
        .map(Vec::as_slice)
        .collect()
}

/// As `atoi` reads a number: what follows its digits is not looked at.
fn digits_at_the_beginning(word: &[u8]) -> usize {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&word[..digits])
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

fn run(call: &mut Call<'_>, name: &str) -> Reply {
    let keys = match count_of_keys(call) {
        Ok(keys) => keys,
        Err(error) => return error,
    };
    let interpreter = call.server.scripts.interpreter();
    let Some(script) = call.server.scripts.known.get(name).cloned() else {
        return Reply::Error("NOSCRIPT No matching script. Please use EVAL.".to_owned());
    };
    let (keys, arguments) = call.words[3..].split_at(keys);
    // What SELECT does in a script ends with it.
    let session = Session {
        in_script: true,
        transaction: None,
        ..call.session.clone()
    };
    let around = RefCell::new(Around {
        server: call.server,
        session,
        dirty: false,
    });
    execute(&interpreter, &script, name, keys, arguments, &around)
        .unwrap_or_else(|error| Reply::error(format!("the model's interpreter: {error}")))
}

/// What a script works on.
struct Around<'a> {
    server: &'a mut Server,
    session: Session,
    /// Whether it has changed anything: then it is not stopped half-way by a full memory.
    dirty: bool,
}

fn execute(
    lua: &Lua,
    script: &Function,
    name: &str,
    keys: &[Vec<u8>],
    arguments: &[Vec<u8>],
    around: &RefCell<Around<'_>>,
) -> mlua::Result<Reply> {
    let list = |words: &[Vec<u8>]| -> mlua::Result<Table> {
        lua.create_sequence_from(
            words
                .iter()
                .map(|word| lua.create_string(word))
                .collect::<mlua::Result<Vec<_>>>()?,
        )
    };
    let globals = lua.globals();
    globals.set("KEYS", list(keys)?)?;
    globals.set("ARGV", list(arguments)?)?;
    lua.scope(|scope| {
        let command = scope.create_function(|lua, given: Variadic<Value>| {
            let Some(words) = words(&given) else {
                return to_lua(
                    lua,
                    &Reply::error("Lua redis lib command arguments must be strings or integers"),
                );
            };
            if words.is_empty() {
                return to_lua(
                    lua,
                    &Reply::error(
                        "Please specify at least one argument for this redis.call() call",
                    ),
                );
            }
            let mut around = around.borrow_mut();
            let Around {
                server,
                session,
                dirty,
            } = &mut *around;
            let reply = server.from_script(session, &words, *dirty);
            *dirty |= Server::is_write(&words) && !reply.is_error();
            to_lua(lua, &reply)
        })?;
        globals.set("__command", command)?;
        globals.set(
            "__sha1hex",
            lua.create_function(|_, text: Option<mlua::LuaString>| {
                let bytes = text.map_or_else(Vec::new, |text| text.as_bytes().to_vec());
                Ok(sha1::hexadecimal(&bytes))
            })?,
        )?;
        lua.load(PRELUDE).set_name("@prelude").exec()?;
        let run: Function = globals.get("__run")?;
        let (done, value): (bool, Value) = run.call(script.clone())?;
        Ok(if done {
            of_lua(&value)
        } else {
            failure(&value, name)
        })
    })
}

fn words(given: &[Value]) -> Option<Vec<Vec<u8>>> {
    given
        .iter()
        .map(|value| match value {
            Value::String(text) => Some(text.as_bytes().to_vec()),
            Value::Integer(number) => Some(number.to_string().into_bytes()),
            Value::Number(number) => Some(as_lua_prints(*number).into_bytes()),
            _ => None,
        })
        .collect()
}

/// `%.17g`, of which a script's numbers need no more than this.
fn as_lua_prints(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e17 {
        format!("{number:.0}")
    } else {
        format!("{number}")
    }
}

fn to_lua(lua: &Lua, reply: &Reply) -> mlua::Result<Value> {
    let named = |name: &str, text: &str| -> mlua::Result<Value> {
        let table = lua.create_table()?;
        table.set(name, text)?;
        Ok(Value::Table(table))
    };
    Ok(match reply {
        Reply::Status(text) => named("ok", text)?,
        Reply::Said(text) => named("ok", text)?,
        Reply::Error(text) => named("err", text)?,
        #[expect(clippy::cast_precision_loss, reason = "as the server does it")]
        Reply::Integer(number) => Value::Number(*number as f64),
        Reply::Bulk(bytes) => Value::String(lua.create_string(bytes)?),
        Reply::Nil | Reply::NoArray => Value::Boolean(false),
        Reply::Array(elements) => {
            let table = lua.create_table()?;
            for (at, element) in elements.iter().enumerate() {
                table.raw_set(at + 1, to_lua(lua, element)?)?;
            }
            Value::Table(table)
        }
    })
}

fn of_lua(value: &Value) -> Reply {
    match value {
        Value::String(text) => Reply::Bulk(text.as_bytes().to_vec()),
        Value::Integer(number) => Reply::Integer(*number),
        #[expect(clippy::cast_possible_truncation, reason = "as the server does it")]
        Value::Number(number) => Reply::Integer(*number as i64),
        Value::Boolean(true) => Reply::Integer(1),
        Value::Table(table) => {
            let text = |name: &str| {
                table
                    .raw_get::<Option<mlua::LuaString>>(name)
                    .ok()
                    .flatten()
                    .map(|text| String::from_utf8_lossy(&text.as_bytes()).into_owned())
            };
            if let Some(error) = text("err") {
                return Reply::Error(error);
            }
            if let Some(status) = text("ok") {
                return Reply::Said(status);
            }
            let elements = (1..)
                .map_while(|at| match table.raw_get::<Value>(at) {
                    Ok(Value::Nil) | Err(_) => None,
                    Ok(element) => Some(of_lua(&element)),
                })
                .collect();
            Reply::Array(elements)
        }
        _ => Reply::Nil,
    }
}

/// What a script that was broken off is answered with.
fn failure(value: &Value, name: &str) -> Reply {
    let (message, line) = match value {
        Value::Table(table) => (
            table.raw_get::<String>("err").unwrap_or_default(),
            table.raw_get::<String>("line").ok(),
        ),
        other => {
            let text = other.to_string().unwrap_or_default();
            let line = text
                .strip_prefix("user_script:")
                .and_then(|rest| rest.split(':').next())
                .map(str::to_owned);
            (format!("ERR {text}"), line)
        }
    };
    let line = line.unwrap_or_else(|| "1".to_owned());
    Reply::Error(format!("{message} script: {name}, on @user_script:{line}."))
}
