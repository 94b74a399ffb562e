//! What a task writes: one transaction, of which hardly anything is copied before it is sent.

use std::io::IoSlice;

use super::building::Flat;
use super::flats::Flats;
use super::mail::Mail;
use crate::workload::exchange::{Pieces, Request, begin_command, begin_word, push_word};

/// MULTI, SET, RPUSH, HSET, EXEC.
pub(crate) const COMMANDS: u64 = 5;

/// What is the same for all transactions of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// MULTI and SET.
    pub(crate) begin: Vec<u8>,
    /// The key of the flats.
    pub(crate) flats_key: String,
    /// EXEC.
    pub(crate) end: Vec<u8>,
}

/// One transaction.
#[derive(Debug)]
pub(crate) struct Save<'a> {
    frame: &'a Frame,
    mail: Mail<'a>,
    flats: Flats,
    /// What is written anew: what stands before the mail, before the flats, and behind them.
    text: Vec<u8>,
    flats_at: usize,
    behind_at: usize,
}

impl<'a> Save<'a> {
    /// Adds the mail to the list of this key, and writes all flats, with a new one behind them.
    pub(crate) fn new(
        frame: &'a Frame,
        mail_key: &str,
        mail: Mail<'a>,
        flats: Flats,
        pushed: Option<&Flat>,
    ) -> Self {
        let mut text = Vec::new();
        begin_command(&mut text, 3);
        push_word(&mut text, b"rpush");
        push_word(&mut text, mail_key.as_bytes());
        begin_word(&mut text, mail.length());
        let flats_at = text.len();
        text.extend_from_slice(b"\r\n");
        begin_hset(
            &mut text,
            &frame.flats_key,
            flats.count() + usize::from(pushed.is_some()),
        );
        let behind_at = text.len();
        if let Some(flat) = pushed {
            push_flat(&mut text, flat);
        }
        Self {
            frame,
            mail,
            flats,
            text,
            flats_at,
            behind_at,
        }
    }
}

impl Request for Save<'_> {
    fn pieces(&self) -> Pieces<'_> {
        let Self {
            frame:
                Frame {
                    begin,
                    flats_key: _,
                    end,
                },
            mail,
            flats,
            text,
            flats_at,
            behind_at,
        } = self;
        // Five of the mail, and five around it and the flats.
        let mut pieces = Vec::with_capacity(flats.count() + 10);
        let mut push = |piece| pieces.push(IoSlice::new(piece));
        push(begin);
        push(&text[..*flats_at]);
        mail.pieces().into_iter().for_each(&mut push);
        push(&text[*flats_at..*behind_at]);
        flats.arguments().for_each(&mut push);
        push(&text[*behind_at..]);
        push(end);
        Pieces::Many(pieces)
    }
}

/// HSET of so many flats, which must follow.
pub(crate) fn begin_hset(request: &mut Vec<u8>, flats_key: &str, flats: usize) {
    begin_command(request, 2 + 2 * flats);
    push_word(request, b"hset");
    push_word(request, flats_key.as_bytes());
}

/// A flat, as arguments of HSET.
pub(crate) fn push_flat(request: &mut Vec<u8>, flat: &Flat) {
    let Flat { id, document } = flat;
    push_word(request, id.as_bytes());
    push_word(request, document.as_bytes());
}

/// The replies of a transaction that was carried out, up to the results of RPUSH and HSET.
const SAVED: &[u8] = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n";

/// Why a transaction was not carried out although no reply is an error; None if it was.
pub(crate) fn not_saved(replies: &[u8]) -> Option<&'static str> {
    if replies.starts_with(SAVED) {
        None
    } else if replies.ends_with(b"*-1\r\n") || replies.ends_with(b"$-1\r\n") {
        Some("EXEC did nothing")
    } else {
        Some("EXEC answered with another number of results than commands")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_checked_to_its_last_command() {
        let replies =
            |exec: &str| format!("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n{exec}").into_bytes();
        assert_eq!(not_saved(&replies("*3\r\n+OK\r\n:17\r\n:0\r\n")), None);
        for (exec, reason) in [
            ("*-1\r\n", "did nothing"),
            ("$-1\r\n", "did nothing"),
            ("*2\r\n+OK\r\n:1\r\n", "another number"),
            ("+OK\r\n", "another number"),
        ] {
            assert!(
                not_saved(&replies(exec)).unwrap().contains(reason),
                "{exec}"
            );
        }
    }
}
