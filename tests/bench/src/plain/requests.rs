//! The requests of a run that redyno has just made, read back from its Redis.

use anyhow::{Context, Result, ensure};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};
use redyno_contract::plan::Keyspace;
use redyno_target::keys::keyspace_prefix;
use redyno_test_redis::RedisServer;

use super::{End, Script, Step};
use crate::plans::{RUN_UID, TYPE};

/// The script of the automap benchmark that fetches a hash, which redyno has loaded.
const FETCH_SCRIPT: &str = "9a1d4c963a3be864d6da9c366da0032ab8775025";

/// Lines that answer MULTI, SET, RPUSH, HSET and EXEC: one each, a list of three, and its elements.
const LINES_OF_A_SAVE: usize = 8;

/// How many keys one connection asks for before it begins again.
const KEYS_OF_A_CONNECTION: usize = 1000;

/// Tasks of the automap benchmark, one connection for every building that is there.
pub(super) async fn of_buildings(server: &RedisServer) -> Result<Vec<Script>> {
    let mut redis = connect(server).await?;
    let buildings: Vec<String> = cmd("KEYS")
        .arg("test:building:*:flats")
        .query_async(&mut redis)
        .await?;
    let mut scripts = Vec::with_capacity(buildings.len());
    for flats_key in buildings {
        scripts.push(of_building(&mut redis, &flats_key).await?);
    }
    Ok(scripts)
}

async fn of_building(redis: &mut MultiplexedConnection, flats_key: &str) -> Result<Script> {
    let root = flats_key
        .strip_suffix(":flats")
        .context("a building without a name")?;
    let document: Vec<u8> = cmd("GET").arg(root).query_async(redis).await?;
    let mut flats: Vec<(Vec<u8>, Vec<u8>)> =
        cmd("HGETALL").arg(flats_key).query_async(redis).await?;
    flats.sort_by_key(|(_, flat)| position(flat));
    let mail_lists: Vec<String> = cmd("KEYS")
        .arg(format!("{flats_key}:*:mail"))
        .query_async(redis)
        .await?;
    let mail_key = mail_lists.first().context("a building without a mail")?;
    let mail: Vec<u8> = cmd("LINDEX")
        .arg(mail_key)
        .arg(0)
        .query_async(redis)
        .await?;

    let mut save = cmd("MULTI").get_packed_command();
    save.extend(cmd("SET").arg(root).arg(&document).get_packed_command());
    save.extend(cmd("RPUSH").arg(mail_key).arg(&mail).get_packed_command());
    let mut write_flats = cmd("HSET");
    write_flats.arg(flats_key);
    for (id, flat) in &flats {
        write_flats.arg(id).arg(flat);
    }
    save.extend(write_flats.get_packed_command());
    save.extend(cmd("EXEC").get_packed_command());

    let fields = flats
        .iter()
        .map(|(id, flat)| bulk_length(id.len()) + bulk_length(flat.len()))
        .sum::<usize>();
    let fetched = "*1\r\n".len() + line_length(2 * flats.len()) + fields;
    let step = |request: &Cmd, end| Step {
        request: request.get_packed_command(),
        end,
    };
    Ok(Script {
        steps: vec![
            step(
                cmd("GET").arg(root),
                End::Bytes(bulk_length(document.len())),
            ),
            step(
                cmd("EVALSHA").arg(FETCH_SCRIPT).arg(1).arg(flats_key),
                End::Bytes(fetched),
            ),
            Step {
                request: save,
                end: End::Lines(LINES_OF_A_SAVE),
            },
            step(&cmd("PING"), End::Lines(1)),
        ],
        steps_per_task: 4,
    })
}

/// GET of existing keys, on this many connections.
pub(super) async fn of_gets(
    server: &RedisServer,
    keyspace: &Keyspace,
    connections: usize,
) -> Result<Vec<Script>> {
    let mut redis = connect(server).await?;
    let prefix = keyspace_prefix(RUN_UID, TYPE, keyspace);
    let mut steps = Vec::new();
    for number in 0..connections * KEYS_OF_A_CONNECTION {
        let key = format!("{prefix}{number}");
        let value: Option<Vec<u8>> = cmd("GET").arg(&key).query_async(&mut redis).await?;
        let Some(value) = value else { break };
        steps.push(Step {
            request: cmd("GET").arg(&key).get_packed_command(),
            end: End::Bytes(bulk_length(value.len())),
        });
    }
    ensure!(
        steps.len() >= connections,
        "{} keys are too few for {connections} connections",
        steps.len()
    );
    let each = steps.len() / connections;
    Ok(steps
        .chunks_exact(each)
        .take(connections)
        .map(|steps| Script {
            steps: steps.to_vec(),
            steps_per_task: 1,
        })
        .collect())
}

async fn connect(server: &RedisServer) -> Result<MultiplexedConnection> {
    let client = redis::Client::open(server.url())?;
    Ok(client.get_multiplexed_async_connection().await?)
}

/// A flat's position, which its document begins with.
fn position(flat: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(flat).ok()?;
    let (position, _) = text.strip_prefix(r#"{"i":"#)?.split_once(',')?;
    position.parse().ok()
}

/// The length on the wire of a string of this many bytes.
const fn bulk_length(bytes: usize) -> usize {
    line_length(bytes) + bytes + "\r\n".len()
}

/// The length of the line that announces a length.
const fn line_length(number: usize) -> usize {
    let mut digits = 1;
    let mut rest = number / 10;
    while rest > 0 {
        digits += 1;
        rest /= 10;
    }
    "$".len() + digits + "\r\n".len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_on_the_wire() {
        for (text, length) in [("", 0), ("abc", 3), ("0123456789", 10)] {
            let wire = format!("${length}\r\n{text}\r\n");
            assert_eq!(bulk_length(length), wire.len());
        }
        assert_eq!(line_length(200), "*200\r\n".len());
        assert_eq!(position(br#"{"i":17,"json":{}}"#), Some(17));
    }
}
