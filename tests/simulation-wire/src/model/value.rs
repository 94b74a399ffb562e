//! What a key holds, and how many bytes that takes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Bytes.
    Text(Vec<u8>),
    /// Fields with their values. A real hash has no order; this one's says nothing of what came
    /// first, either.
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    /// A list.
    List(VecDeque<Vec<u8>>),
    /// A set.
    Set(BTreeSet<Vec<u8>>),
}

impl Value {
    /// As TYPE names it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
        }
    }

    /// Whether nothing is left in it, so that its key goes, too.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Hash(fields) => fields.is_empty(),
            Self::List(elements) => elements.is_empty(),
            Self::Set(members) => members.is_empty(),
        }
    }

    /// Bytes of memory, about as a real server takes them.
    pub fn bytes(&self) -> usize {
        // Below this, short values lie packed, one after the other.
        const PACKED: usize = 64;
        match self {
            Self::Text(text) => allocated(text.len() + 12) + 16,
            Self::Hash(fields) => {
                let packed = fields.len() <= 128
                    && fields
                        .iter()
                        .all(|(field, value)| field.len() <= PACKED && value.len() <= PACKED);
                let own = |(field, value): (&Vec<u8>, &Vec<u8>)| {
                    if packed {
                        field.len() + value.len() + 6
                    } else {
                        32 + allocated(field.len() + 4) + allocated(value.len() + 6)
                    }
                };
                64 + fields.iter().map(own).sum::<usize>()
            }
            Self::List(elements) => {
                128 + elements
                    .iter()
                    .map(|element| element.len() + 6)
                    .sum::<usize>()
            }
            Self::Set(members) => {
                64 + members
                    .iter()
                    .map(|member| 32 + allocated(member.len() + 4))
                    .sum::<usize>()
            }
        }
    }
}

/// What an allocator with size classes gives for so many bytes.
pub(super) fn allocated(bytes: usize) -> usize {
    if bytes <= 128 {
        return bytes.next_multiple_of(16);
    }
    let spacing = 1_usize << ((bytes - 1).ilog2() - 2);
    bytes.next_multiple_of(spacing)
}
