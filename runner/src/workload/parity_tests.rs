//! Both ways to a Redis, compared: the same bytes go out, and replies mean the same.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use redyno_contract::plan::{DynoName, Fetch, ObjectGraph, Prefill, TlsVerification};
use redyno_contract::random::{Purpose, Seed};
use redyno_target::{ConnectOptions, SystemNetwork, Target};
use redyno_test_redis::{Folder, RedisServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::exchange::{Buffers, Exchange, TaskConnection};
use super::failure::TaskFailure;
use super::object_graph::{GraphWorker, Mails};
use redyno_engine::{ConnectionAfter, Content, FailureClass};

#[derive(Clone, Copy, Debug)]
enum Way {
    Direct,
    Library,
}

async fn connect(way: Way, port: u16) -> TaskConnection {
    let url = format!("redis://127.0.0.1:{port}");
    let folder = Folder::with(&[("url", url.as_bytes())]).unwrap();
    let target = Target::from_directory(
        folder.path(),
        TlsVerification::VerifyFull,
        Arc::new(SystemNetwork),
    )
    .unwrap();
    let options = ConnectOptions::patient("redyno parity");
    let buffers = Buffers::default();
    match way {
        Way::Direct => {
            TaskConnection::direct(target.connect_stream(&options).await.unwrap(), buffers)
        }
        Way::Library => TaskConnection::library(target.connect(&options).await.unwrap(), buffers),
    }
}

/// Passes everything on to `port` and keeps what one client sends.
async fn listen_in(port: u16) -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let own_port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let answers = tokio::spawn(async move {
            tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        });
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            keep.lock().unwrap().extend_from_slice(&bytes[..count]);
            to_server.write_all(&bytes[..count]).await.unwrap();
        }
        answers.abort();
    });
    (own_port, heard)
}

fn worker(graph: &ObjectGraph) -> (GraphWorker, Seed) {
    let dyno = DynoName {
        dyno_type: "web".to_owned(),
        index: 0,
    };
    let seed = Seed::of(7, &dyno);
    let mails = Rc::new(Mails::new(seed, graph.item_payload_bytes));
    let worker = GraphWorker::new("0123456789", 7, &dyno, graph, mails, Buffers::default(), 3);
    (worker, seed)
}

/// Everything that a client sends which fills a building and then does some tasks.
async fn sent(way: Way, graph: &ObjectGraph) -> Vec<u8> {
    let server = RedisServer::start(&[]).await.unwrap();
    let (port, heard) = listen_in(server.port()).await;
    let mut connection = connect(way, port).await;
    let (worker, seed) = worker(graph);
    worker.prepare(&mut connection, |_| {}).await.unwrap();
    for number in 0..5 {
        let random = seed.stream(Purpose::MeasuredPayload, number);
        let mut steps = 0;
        let task = worker.run(&mut connection, random, || steps += 1);
        task.await.unwrap();
        assert_eq!(steps, 2);
    }
    let heard = heard.lock().unwrap();
    heard.clone()
}

#[tokio::test]
async fn both_send_the_same_bytes() {
    for fetch in [Fetch::Lua, Fetch::Hgetall] {
        for (prefill, max_flats) in [
            (Prefill::Full, 100),
            // The prefill takes more than one command, the reply more than one read.
            (Prefill::Full, 1200),
            (Prefill::Empty, 3),
        ] {
            let graph = ObjectGraph {
                max_flats,
                item_payload_bytes: 1000,
                fetch,
                prefill,
            };
            let direct = sent(Way::Direct, &graph).await;
            let library = sent(Way::Library, &graph).await;
            // Not assert_eq: nobody reads a megabyte.
            assert!(
                direct == library,
                "{fetch:?} of {max_flats}: {} and {} bytes",
                direct.len(),
                library.len()
            );
            assert!(direct.len() > max_flats as usize * 200);
        }
    }
}

/// A server that welcomes one client, answers its next words with these bytes, and hangs up.
async fn say_once(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"PING\r\n") {
            client.read_buf(&mut heard).await.unwrap();
        }
        client.write_all(b"+OK\r\n+PONG\r\n").await.unwrap();
        client.read_buf(&mut heard).await.unwrap();
        client.write_all(&answer).await.unwrap();
    });
    port
}

/// The replies, or what they hold; or the failure's class and words, and what it leaves of the
/// connection.
type Said<T> = Result<T, (FailureClass, String, ConnectionAfter)>;

/// What came of an answer, with and without looking at it.
async fn understood(way: Way, commands: u64, answer: &str) -> (Said<String>, Said<Content>) {
    let request = b"*1\r\n$4\r\nping\r\n".repeat(usize::try_from(commands).unwrap());
    let parts = |failure: TaskFailure| {
        let TaskFailure {
            class,
            words,
            connection,
        } = failure;
        // How a connection broke, each way tells in its own words.
        let words = if class == FailureClass::Connection {
            String::new()
        } else {
            words
        };
        (class, words, connection)
    };
    let mut connection = connect(way, say_once(answer.as_bytes().to_vec()).await).await;
    assert!(!connection.is_closed());
    let reply = connection.exchange(&request, commands).await;
    // The end of the connection is seen without using it.
    while !connection.is_closed() {
        tokio::task::yield_now().await;
    }
    let mut connection = connect(way, say_once(answer.as_bytes().to_vec()).await).await;
    let done = connection.perform(&request, commands).await;
    (
        reply
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .map_err(parts),
        done.map_err(parts),
    )
}

#[tokio::test]
async fn both_hear_the_same_in_what_is_no_error() {
    use Content::{Nothing, Something};
    for (commands, answer, content) in [
        (1, "+PONG\r\n", Something),
        (1, "$3\r\nabc\r\n", Something),
        (1, "$0\r\n\r\n", Something),
        (1, ":-42\r\n", Something),
        (1, ":0\r\n", Something),
        (1, "*2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n", Something),
        (1, "*2\r\n$1\r\n0\r\n*0\r\n", Something),
        (3, "+OK\r\n+QUEUED\r\n*2\r\n+OK\r\n:0\r\n", Something),
        (1, "$-1\r\n", Nothing),
        (1, "*0\r\n", Nothing),
        (1, "*2\r\n$-1\r\n$-1\r\n", Nothing),
        (1, "*1\r\n*0\r\n", Nothing),
        (2, "$-1\r\n*0\r\n", Nothing),
    ] {
        for way in [Way::Direct, Way::Library] {
            let said = understood(way, commands, answer).await;
            assert_eq!(
                said,
                (Ok(answer.to_owned()), Ok(content)),
                "{way:?}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn both_take_an_error_reply_for_an_answer() {
    use FailureClass::*;
    let oom_first = "+OK\r\n-OOM command not allowed\r\n-EXECABORT Transaction discarded\r\n";
    for (commands, answer, class, words) in [
        (
            1,
            "-OOM command not allowed\r\n",
            OutOfMemory,
            "OOM command not allowed",
        ),
        (1, "-READONLY You can't\r\n", ReadOnly, "READONLY You can't"),
        (
            1,
            "-MOVED 3999 127.0.0.1:6381\r\n",
            Moved,
            "MOVED 3999 127.0.0.1:6381",
        ),
        (
            1,
            "-NOREPLICAS Not enough\r\n",
            NoReplicas,
            "NOREPLICAS Not enough",
        ),
        (
            1,
            "-ERR max daily request limit exceeded\r\n",
            Quota,
            "ERR max daily request limit exceeded",
        ),
        (
            1,
            "-ERR max number of clients reached\r\n",
            MaxClients,
            "ERR max number of clients reached",
        ),
        (1, "-ERR unknown command\r\n", Other, "ERR unknown command"),
        (1, "-ERR\r\n", Other, "ERR"),
        (1, "-\r\n", Other, ""),
        // The first error is the cause, however deep.
        (3, oom_first, OutOfMemory, "OOM command not allowed"),
        (
            2,
            "+OK\r\n*2\r\n+OK\r\n-WRONGTYPE no\r\n",
            WrongType,
            "WRONGTYPE no",
        ),
        (
            2,
            "*1\r\n*1\r\n-MOVED 1 a:1\r\n-OOM no\r\n",
            Moved,
            "MOVED 1 a:1",
        ),
    ] {
        let expected = (class, words.to_owned(), ConnectionAfter::Usable);
        for way in [Way::Direct, Way::Library] {
            let said = understood(way, commands, answer).await;
            let expected = (Err(expected.clone()), Err(expected.clone()));
            assert_eq!(said, expected, "{way:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn both_give_a_connection_up_of_which_nothing_is_known() {
    use FailureClass::{Authentication, Connection};
    for (commands, answer, class, words) in [
        // Cut off, or no Redis.
        (1, "", Connection, ""),
        (1, "$10\r\nabc", Connection, ""),
        (2, "+OK\r\n", Connection, ""),
        (1, "HTTP/1.1 400 Bad Request\r\n", Connection, ""),
        (1, "$x\r\n", Connection, ""),
        // Whoever answers does not know who we are.
        (
            1,
            "-NOAUTH Authentication required.\r\n",
            Authentication,
            "NOAUTH Authentication required.",
        ),
    ] {
        let expected = (class, words.to_owned(), ConnectionAfter::Dropped);
        for way in [Way::Direct, Way::Library] {
            let said = understood(way, commands, answer).await;
            let expected = (Err(expected.clone()), Err(expected.clone()));
            assert_eq!(said, expected, "{way:?}: {answer:?}");
        }
    }
}
