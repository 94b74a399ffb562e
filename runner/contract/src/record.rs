//! The record: how a [`Message`] travels as a termination message.
//!
//! One ASCII block of exactly [`RECORD_BYTES`] bytes, so that a single positioned write replaces
//! the former one without ever being torn:
//!
//! ```text
//! redyno 2 <sequence> <checkpoint|final> <payload length> <crc32 of the payload, 8 hex digits>\n
//! <base64 of the JSON of the message, deflated after names that both sides know>\n<spaces>
//! ```
//!
//! Whoever reads one treats it as hostile: nothing over [`LONGEST_READ`] bytes is looked at, and
//! nothing inflates to more than [`LONGEST_JSON`].

mod deflated;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::failure::{ClassFailures, FailureClass};
use crate::histogram::{Digits, EncodedHistogram};
use crate::message::Message;
use crate::report::{
    self, Ages, Ending, Histograms, Incomplete, MOST_COMMANDS_OF_TARGET, MOST_DELAYS,
    REPORT_VERSION, Report, TargetVitals,
};
use crate::text;

/// Length of every record. With four containers in a pod Kubernetes cuts each message to 3,072 bytes.
pub const RECORD_BYTES: usize = 3000;

/// Longest input that is read at all: Kubernetes' own limit of a termination message.
pub const LONGEST_READ: usize = 4096;

/// Longest JSON that a payload may inflate to.
pub const LONGEST_JSON: usize = 64 * 1024;

/// Whether a record is the last one of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Written every few seconds, in case the pod dies.
    Checkpoint,
    /// Written at the end.
    Final,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Rises by one with every write of a pod.
    pub sequence: u64,
    /// Checkpoint or final.
    pub kind: RecordKind,
    /// What it says.
    pub message: Message,
}

/// Why a record cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message takes {needed} bytes, a record has room for {RECORD_BYTES}")]
pub struct TooLong {
    /// Bytes needed.
    pub needed: usize,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// Nothing is there.
    #[error("the termination message is empty")]
    Empty,
    /// Over [`LONGEST_READ`].
    #[error("{0} bytes, at most {LONGEST_READ} are read")]
    TooLong(usize),
    /// The first line is not a record's.
    #[error("not a report record: {0}")]
    Header(String),
    /// Another version.
    #[error("report record of version {0}, this version reads 1 and 2")]
    Version(String),
    /// Cut short.
    #[error("payload of {found} bytes, its header says {expected}")]
    Truncated {
        /// By the header.
        expected: usize,
        /// Found.
        found: usize,
    },
    /// Changed on the way.
    #[error("checksum {found:08x}, its header says {expected:08x}")]
    Checksum {
        /// By the header.
        expected: u32,
        /// Found.
        found: u32,
    },
    /// The payload is not what it should be.
    #[error("unreadable payload: {0}")]
    Payload(String),
}

/// The version that this code writes.
const VERSION: &str = "2";

/// The version of the first release, which is still read.
const WITHOUT_NAMES: &str = "1";

/// Free texts of a report are cut to so many bytes, so that one long error of a target never costs
/// a dyno its numbers; and to so many if it does not fit even so, or only without everything that
/// can be left out.
const LONGEST_TEXT: usize = 300;
const LONGEST_TEXT_IF_TIGHT: usize = 40;
const LONGEST_TEXT_AT_LAST: usize = 8;

/// Words of a target that explain a class of failures are cut to so many bytes; if it does not fit
/// even so, only those of the commonest class stay, and at last none.
const LONGEST_EXAMPLE: usize = 160;

impl RecordKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Final => "final",
        }
    }
}

/// Writes a record.
///
/// # Errors
/// [`TooLong`] if it does not fit; the caller then leaves out or coarsens histograms.
pub fn write(sequence: u64, kind: RecordKind, message: &Message) -> Result<Vec<u8>, TooLong> {
    let json = serde_json::to_vec(message).expect("a message has no map and no float");
    if json.len() > LONGEST_JSON {
        return Err(TooLong { needed: json.len() });
    }
    let payload = BASE64.encode(deflated::with_names(&json));
    let mut record = format!(
        "redyno {VERSION} {sequence} {} {} {:08x}\n{payload}\n",
        kind.as_str(),
        payload.len(),
        crc32fast::hash(payload.as_bytes()),
    )
    .into_bytes();
    if record.len() > RECORD_BYTES {
        return Err(TooLong {
            needed: record.len(),
        });
    }
    record.resize(RECORD_BYTES, b' ');
    Ok(record)
}

/// Reads a record.
///
/// # Errors
/// [`InvalidRecord`] names what was found and what is allowed.
pub fn read(bytes: &[u8]) -> Result<Record, InvalidRecord> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(InvalidRecord::Empty);
    }
    if bytes.len() > LONGEST_READ {
        return Err(InvalidRecord::TooLong(bytes.len()));
    }
    let (header, rest) = read_header(bytes)?;
    let (payload, padding) =
        rest.split_at_checked(header.length)
            .ok_or(InvalidRecord::Truncated {
                expected: header.length,
                found: rest.len(),
            })?;
    if !padding.iter().all(u8::is_ascii_whitespace) {
        return Err(InvalidRecord::Payload(
            "something other than spaces follows it".to_owned(),
        ));
    }
    let found = crc32fast::hash(payload);
    if found != header.checksum {
        return Err(InvalidRecord::Checksum {
            expected: header.checksum,
            found,
        });
    }
    Ok(Record {
        sequence: header.sequence,
        kind: header.kind,
        message: read_payload(payload, header.with_names)?,
    })
}

struct Header {
    with_names: bool,
    sequence: u64,
    kind: RecordKind,
    length: usize,
    checksum: u32,
}

/// The header and what follows it.
fn read_header(bytes: &[u8]) -> Result<(Header, &[u8]), InvalidRecord> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let shown: String = line.iter().take(60).copied().map(printable).collect();
    let invalid = |problem: &str| InvalidRecord::Header(format!("{problem}: {shown:?}"));
    let line =
        str::from_utf8(line).map_err(|_| invalid("its first line must be ASCII, it begins"))?;
    let mut words = line.split(' ');
    if words.next() != Some("redyno") {
        return Err(invalid("its first line must begin with \"redyno\", it is"));
    }
    let with_names = match words.next() {
        Some(VERSION) => true,
        Some(WITHOUT_NAMES) => false,
        Some(other) if !other.is_empty() => {
            return Err(InvalidRecord::Version(
                other.bytes().take(20).map(printable).collect(),
            ));
        }
        _ => return Err(invalid("its first line has no version")),
    };
    if end.is_none() {
        return Err(invalid("its first line does not end"));
    }
    let mut word = |name: &str| {
        words
            .next()
            .ok_or_else(|| invalid(&format!("its first line has no {name}")))
    };
    let sequence = number(word("sequence")?)
        .ok_or_else(|| invalid("its sequence must be a number, its first line is"))?;
    let kind = match word("kind")? {
        "checkpoint" => RecordKind::Checkpoint,
        "final" => RecordKind::Final,
        _ => {
            return Err(invalid(
                "its kind must be \"checkpoint\" or \"final\", its first line is",
            ));
        }
    };
    let length = number(word("payload length")?)
        .and_then(|length| usize::try_from(length).ok())
        .filter(|length| *length <= LONGEST_READ)
        .ok_or_else(|| {
            invalid(&format!(
                "its payload length must be a number up to {LONGEST_READ}, its first line is"
            ))
        })?;
    let checksum = Some(word("checksum")?)
        .filter(|word| {
            word.len() == 8
                && word
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
        .and_then(|word| u32::from_str_radix(word, 16).ok())
        .ok_or_else(|| {
            invalid("its checksum must be 8 lower-case hex digits, its first line is")
        })?;
    if words.next().is_some() {
        return Err(invalid("its first line must have six words, it is"));
    }
    let header = Header {
        with_names,
        sequence,
        kind,
        length,
        checksum,
    };
    Ok((header, rest))
}

/// A number as it is written here: digits alone, without sign or leading zero.
fn number(word: &str) -> Option<u64> {
    word.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == word)
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte)
    } else {
        '?'
    }
}

fn read_payload(payload: &[u8], with_names: bool) -> Result<Message, InvalidRecord> {
    let invalid = |problem: String| InvalidRecord::Payload(problem);
    let deflated = BASE64
        .decode(payload)
        .map_err(|error| invalid(error.to_string()))?;
    let json = if with_names {
        deflated::inflate_with_names(&deflated, LONGEST_JSON)
    } else {
        deflated::inflate(&deflated, LONGEST_JSON)
    }
    .map_err(|error| invalid(error.to_string()))?;
    if json.len() > LONGEST_JSON {
        return Err(invalid(format!(
            "it inflates to more than {LONGEST_JSON} bytes"
        )));
    }
    let other_version = |version: u64| {
        let is_read = u32::try_from(version).is_ok_and(report::is_read);
        (!is_read).then(|| {
            invalid(format!(
                "dyno.version is {version}, must be 1 to {REPORT_VERSION}: the report is of a \
                 later release"
            ))
        })
    };
    let mut reader = serde_json::Deserializer::from_slice(&json);
    let message: Message = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        // A report of a later version differs in fields; what helps is to say that it is one.
        serde_json::from_slice::<serde_json::Value>(&json)
            .ok()
            .and_then(|any| other_version(any.pointer("/dyno/version")?.as_u64()?))
            .unwrap_or_else(|| invalid(error.to_string()))
    })?;
    reader.end().map_err(|error| invalid(error.to_string()))?;
    if let Message::Dyno(report) = &message
        && let Some(refused) = other_version(report.version.into())
    {
        return Err(refused);
    }
    Ok(message)
}

/// What a report has room for.
struct Room {
    longest_text: usize,
    delays: usize,
    classes: usize,
    busiest: usize,
}

/// From a report that need leave out nothing to one that does not fit otherwise.
const ROOMS: [Room; 6] = {
    let all = Room {
        longest_text: LONGEST_TEXT,
        delays: MOST_DELAYS,
        classes: usize::MAX,
        busiest: usize::MAX,
    };
    let tight = Room {
        longest_text: LONGEST_TEXT_IF_TIGHT,
        ..all
    };
    let two_of_each = Room {
        delays: 2,
        classes: 2,
        ..tight
    };
    let no_classes = Room {
        classes: 0,
        ..two_of_each
    };
    let two_workers = Room {
        busiest: 2,
        ..no_classes
    };
    let bare = Room {
        longest_text: LONGEST_TEXT_AT_LAST,
        delays: 0,
        busiest: 0,
        ..two_workers
    };
    [all, tight, two_of_each, no_classes, two_workers, bare]
};

/// Writes a dyno's report as precisely as fits: response, wait and service at 1 digit, then the
/// target's commands, the ages of unfinished tasks, the timeline, and response, service and wait at
/// 2 digits, as long as there is room. `report` carries histograms at full precision.
///
/// Free texts are cut to a bound. Should even the bare numbers not fit, the shorter ones of the
/// longest delays are left out first, then the least busy of the busiest workers.
///
/// # Errors
/// [`TooLong`] if it does not fit even so.
pub fn write_report(sequence: u64, kind: RecordKind, report: &Report) -> Result<Vec<u8>, TooLong> {
    let mut bare = report.clone();
    bare.histograms = Histograms::default();
    bare.timeline = None;
    bare.incomplete = None;
    if let Some(target) = &mut bare.target {
        target.commands.clear();
    }
    let write_dyno = |report: &Report| {
        let message = Message::Dyno(Box::new(report.clone()));
        write(sequence, kind, &message)
    };
    let mut written = Err(TooLong { needed: 0 });
    for Room {
        longest_text,
        delays,
        classes,
        busiest,
    } in ROOMS
    {
        cut_texts(&mut bare, longest_text);
        if let Some(lateness) = &mut bare.lateness {
            lateness.longest.truncate(delays);
        }
        if classes == 0 {
            bare.failures = None;
        } else if let Some(failures) = &mut bare.failures
            && classes < usize::MAX
        {
            fold_failures(failures, classes);
            for row in failures {
                row.example = None;
            }
        }
        for left_out in bare.busiest.drain(busiest.min(bare.busiest.len())..) {
            bare.other_workers_backlog = bare.other_workers_backlog.max(left_out.peak_backlog);
        }
        written = write_dyno(&bare);
        if written.is_ok() {
            break;
        }
    }
    let mut best = written?;

    // What is tried first has the room; what does not fit leaves it to the next. What is judged
    // and merged comes before what is only shown.
    let Histograms {
        response,
        wait,
        service,
        steps: _,
        schedule_lag: _,
    } = &report.histograms;
    let coarse = |histogram: &Option<EncodedHistogram>, digits| {
        histogram
            .as_ref()
            .and_then(|histogram| at(histogram, digits))
    };
    let additions: [&dyn Fn(&mut Report); 10] = [
        &|richer| {
            richer.incomplete = report.incomplete.as_ref().map(|full| Incomplete {
                steps: None,
                ages: None,
                ..*full
            });
        },
        &|richer| richer.histograms.response = coarse(response, Digits::One),
        &|richer| richer.histograms.wait = coarse(wait, Digits::One),
        &|richer| richer.histograms.service = coarse(service, Digits::One),
        &|richer| {
            if let (Some(richer), Some(target)) = (&mut richer.target, &report.target) {
                richer.commands.clone_from(&target.commands);
            }
            cut_texts(richer, LONGEST_TEXT);
        },
        &|richer| {
            if let (Some(richer), Some(full)) = (&mut richer.incomplete, &report.incomplete) {
                richer.ages = full.ages.as_ref().and_then(coarse_ages);
            }
        },
        &|richer| richer.timeline.clone_from(&report.timeline),
        &|richer| richer.histograms.response = coarse(response, Digits::Two),
        &|richer| richer.histograms.service = coarse(service, Digits::Two),
        &|richer| richer.histograms.wait = coarse(wait, Digits::Two),
    ];
    let mut richest = bare;
    for add in additions {
        let mut richer = richest.clone();
        add(&mut richer);
        if let Ok(record) = write_dyno(&richer) {
            (best, richest) = (record, richer);
        }
    }
    Ok(best)
}

/// Ages at one digit: they are only bounds.
fn coarse_ages(ages: &Ages) -> Option<Ages> {
    let Ages {
        response,
        wait,
        service,
    } = ages;
    Some(Ages {
        response: at(response, Digits::One)?,
        wait: at(wait, Digits::One)?,
        service: at(service, Digits::One)?,
    })
}

/// The histogram at these digits, or at its own if it has no more.
fn at(histogram: &EncodedHistogram, digits: Digits) -> Option<EncodedHistogram> {
    if histogram.digits <= digits.number() {
        return Some(histogram.clone());
    }
    // A histogram of our own that cannot be read is a defect, but no reason to lose the report.
    let full = histogram.decode().ok()?;
    Some(full.coarser(digits).encode())
}

/// Leaves so many classes of failures, the commonest ones; the last of them is `other` and holds
/// the sum of what there is no room for.
fn fold_failures(failures: &mut Vec<ClassFailures>, classes: usize) {
    if failures.len() <= classes {
        return;
    }
    let rest = failures.split_off(classes.saturating_sub(1));
    let sum = rest.iter().fold((0_u64, 0_u64), |(measured, warmup), row| {
        (
            measured.saturating_add(row.measured),
            warmup.saturating_add(row.warmup),
        )
    });
    failures.push(ClassFailures {
        class: FailureClass::Other,
        measured: sum.0,
        warmup: sum.1,
        example: None,
    });
}

/// Cuts every text that comes from a target, a platform or an error.
fn cut_texts(report: &mut Report, longest: usize) {
    if let Some(end) = &mut report.end {
        match &mut end.ending {
            Ending::ErrorLimit {
                threshold: _,
                cause: text,
            }
            | Ending::TargetLost { detail: text }
            | Ending::TargetChanged { detail: text }
            | Ending::TargetRefused { detail: text }
            | Ending::StartTimeout { detail: text }
            | Ending::DuplicateDyno { holder: text }
            | Ending::Internal { detail: text } => cut(text, longest),
            Ending::Completed
            | Ending::BacklogLimit { .. }
            | Ending::LatencyLimit { .. }
            | Ending::Stopped
            | Ending::Terminated
            | Ending::ForeignKeysEvicted { keys: _ } => {}
        }
    }
    for (position, row) in report.failures.iter_mut().flatten().enumerate() {
        let ClassFailures {
            class: _,
            measured: _,
            warmup: _,
            example,
        } = row;
        if position > 0 && longest <= LONGEST_TEXT_IF_TIGHT {
            *example = None;
        }
        if let Some(text) = example {
            cut(text, longest.min(LONGEST_EXAMPLE));
        }
    }
    if let Some(TargetVitals {
        server,
        version,
        role,
        maxmemory_policy,
        commands,
        samples: _,
        maxmemory_bytes: _,
        maxclients: _,
        main_thread_per_mille: _,
        memory_at_start_bytes: _,
        memory_at_end_bytes: _,
        connections_max: _,
        evicted_keys: _,
        rejected_connections: _,
        append_only_file: _,
        replicas: _,
        work: _,
    }) = &mut report.target
    {
        let longest = longest.min(LONGEST_TEXT_IF_TIGHT);
        for text in [server, version, role, maxmemory_policy]
            .into_iter()
            .flatten()
            .chain(commands.iter_mut().map(|command| &mut command.name))
        {
            cut(text, longest);
        }
        commands.truncate(MOST_COMMANDS_OF_TARGET);
    }
}

fn cut(text: &mut String, longest: usize) {
    if text.len() > longest {
        *text = text::shortened(text, longest);
    }
}

#[cfg(test)]
mod tests;
