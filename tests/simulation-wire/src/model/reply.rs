//! What the server answers, and how it stands on the wire (version 2 of the protocol).

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A line that tells of success.
    Status(&'static str),
    /// A line that tells of failure, its code first.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// No bytes.
    Nil,
    /// No list.
    NoArray,
    /// A list.
    Array(Vec<Self>),
    /// A line of success in the words of a script.
    Said(String),
}

impl Reply {
    /// `+OK`.
    pub const OK: Self = Self::Status("OK");

    /// An error with the code `ERR`.
    pub fn error(message: impl AsRef<str>) -> Self {
        Self::Error(format!("ERR {}", message.as_ref()))
    }

    /// Bytes, or none.
    pub fn bulk(bytes: Option<impl Into<Vec<u8>>>) -> Self {
        bytes.map_or(Self::Nil, |bytes| Self::Bulk(bytes.into()))
    }

    /// How many.
    pub fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// Whether it tells of failure.
    pub const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Writes it as it stands on the wire.
    pub fn encode(&self, output: &mut Vec<u8>) {
        let mut line = |kind: u8, text: &[u8]| {
            output.push(kind);
            output.extend_from_slice(text);
            output.extend_from_slice(b"\r\n");
        };
        match self {
            Self::Status(text) => line(b'+', text.as_bytes()),
            Self::Said(text) => line(b'+', text.as_bytes()),
            Self::Error(text) => line(b'-', text.replace(['\r', '\n'], " ").as_bytes()),
            Self::Integer(number) => line(b':', number.to_string().as_bytes()),
            Self::Bulk(bytes) => {
                line(b'$', bytes.len().to_string().as_bytes());
                output.extend_from_slice(bytes);
                output.extend_from_slice(b"\r\n");
            }
            Self::Nil => line(b'$', b"-1"),
            Self::NoArray => line(b'*', b"-1"),
            Self::Array(elements) => {
                line(b'*', elements.len().to_string().as_bytes());
                for element in elements {
                    element.encode(output);
                }
            }
        }
    }
}
