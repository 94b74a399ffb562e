//! Commands that are carried out together.

use super::call::{Call, Transaction};
use super::reply::Reply;

/// MULTI
pub(super) fn multi(call: &mut Call<'_>) -> Reply {
    if call.session.transaction.is_some() {
        return Reply::error("MULTI calls can not be nested");
    }
    call.session.transaction = Some(Transaction::default());
    Reply::OK
}

/// DISCARD
pub(super) fn discard(call: &mut Call<'_>) -> Reply {
    match call.session.transaction.take() {
        Some(_) => Reply::OK,
        None => Reply::error("DISCARD without MULTI"),
    }
}

/// EXEC
pub(super) fn exec(call: &mut Call<'_>) -> Reply {
    let Some(transaction) = call.session.transaction.take() else {
        return Reply::error("EXEC without MULTI");
    };
    if transaction.spoiled {
        return Reply::Error(
            "EXECABORT Transaction discarded because of previous errors.".to_owned(),
        );
    }
    let replies = transaction
        .queued
        .iter()
        .map(|words| call.server.carry_out_queued(call.session, words))
        .collect();
    Reply::Array(replies)
}
