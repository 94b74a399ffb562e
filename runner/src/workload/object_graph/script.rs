//! The script that reads all flats of a building.

use redis::Value;

use crate::workload::exchange::push_command;
use crate::workload::failure::TaskFailure;

/// The script of the automap benchmark's data model: HGETALL of every key it is given.
const TEXT: &str =
    "local r = {} for _, v in pairs(KEYS) do r[#r+1] = redis.call('HGETALL', v) end return r";

/// Its name on every server: the SHA-1 of the text.
const SHA1: &str = "9a1d4c963a3be864d6da9c366da0032ab8775025";

/// `script load`, for before the run.
pub(crate) fn load() -> redis::Cmd {
    let mut command = redis::cmd("script");
    command.arg("load").arg(TEXT);
    command
}

/// Checks what `script load` was answered with.
///
/// # Errors
/// [`TaskFailure`] if the server calls the script by another name.
pub(crate) fn check_loaded(reply: Value) -> Result<(), TaskFailure> {
    match reply {
        Value::BulkString(name) if name == SHA1.as_bytes() => Ok(()),
        Value::ServerError(error) => Err((&error).into()),
        _ => Err(TaskFailure::unexpected(
            "SCRIPT LOAD did not name the script by its SHA-1",
        )),
    }
}

/// `evalsha` on a building's flats.
pub(crate) fn call(flats_key: &str) -> Vec<u8> {
    with_script("evalsha", SHA1, flats_key)
}

/// `eval` on a building's flats: for a server that does not know the script.
pub(crate) fn send(flats_key: &str) -> Vec<u8> {
    with_script("eval", TEXT, flats_key)
}

fn with_script(name: &str, script: &str, flats_key: &str) -> Vec<u8> {
    let mut request = Vec::new();
    let words = [name, script, "1", flats_key].map(str::as_bytes);
    push_command(&mut request, &words);
    request
}
