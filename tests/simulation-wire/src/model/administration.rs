//! Commands on the server and on the connection.

use super::call::Call;
use super::reply::Reply;

/// PING
pub(super) fn ping(call: &mut Call<'_>) -> Reply {
    match call.words.len() {
        1 => Reply::Status("PONG"),
        2 => Reply::Bulk(call.word(1).to_vec()),
        _ => Reply::error("wrong number of arguments for 'ping' command"),
    }
}

/// ECHO
pub(super) fn echo(call: &mut Call<'_>) -> Reply {
    Reply::Bulk(call.word(1).to_vec())
}

/// TIME
pub(super) fn time(call: &mut Call<'_>) -> Reply {
    let now = call.server.now;
    let part = |number: u64| Reply::Bulk(number.to_string().into_bytes());
    Reply::Array(vec![part(now / 1_000_000), part(now % 1_000_000)])
}

/// AUTH with a password, or with a user and a password
pub(super) fn auth(call: &mut Call<'_>) -> Reply {
    let (name, password) = match call.words.len() {
        2 => ("default".to_owned(), call.word(1)),
        3 => (
            String::from_utf8_lossy(call.word(1)).into_owned(),
            call.word(2),
        ),
        _ => return Reply::error("syntax error"),
    };
    let users = &call.server.settings.users;
    if call.words.len() == 2 && users.first().is_some_and(|user| user.password.is_none()) {
        return Reply::error(
            "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
        );
    }
    let fits = |given: &Option<String>| {
        given
            .as_ref()
            .is_none_or(|wanted| wanted.as_bytes() == password)
    };
    match users
        .iter()
        .find(|user| user.name == name && fits(&user.password))
    {
        Some(user) => {
            call.session.user = Some(user.clone());
            Reply::OK
        }
        None => {
            Reply::Error("WRONGPASS invalid username-password pair or user is disabled.".to_owned())
        }
    }
}

/// QUIT
pub(super) fn quit(call: &mut Call<'_>) -> Reply {
    call.session.closing = true;
    Reply::OK
}

/// SELECT
pub(super) fn select(call: &mut Call<'_>) -> Reply {
    let Ok(number) = call.integer(1) else {
        return Reply::error("value is not an integer or out of range");
    };
    if i32::try_from(number).is_err() {
        return Reply::error(
            "value is out of range, value must between -2147483648 and 2147483647",
        );
    }
    match usize::try_from(number) {
        Ok(number) if number < call.server.databases.len() => {
            call.session.database = number;
            Reply::OK
        }
        _ => Reply::error("DB index is out of range"),
    }
}

/// CLIENT SETNAME
pub(super) fn client_setname(call: &mut Call<'_>) -> Reply {
    let name = call.word(2).to_vec();
    if name.iter().any(|byte| !(b'!'..=b'~').contains(byte)) {
        return Reply::error("Client names cannot contain spaces, newlines or special characters.");
    }
    call.session.name = name;
    Reply::OK
}

/// CLIENT GETNAME
pub(super) fn client_getname(call: &mut Call<'_>) -> Reply {
    let name = &call.session.name;
    Reply::bulk((!name.is_empty()).then(|| name.clone()))
}

/// CLIENT ID
pub(super) fn client_id(call: &mut Call<'_>) -> Reply {
    Reply::Integer(i64::try_from(call.session.id).unwrap_or(i64::MAX))
}

/// CONFIG GET of what runs look at
pub(super) fn config_get(call: &mut Call<'_>) -> Reply {
    let settings = &call.server.settings;
    let known = [
        ("maxmemory", settings.maxmemory.to_string()),
        ("maxmemory-policy", settings.policy.name().to_owned()),
        ("maxclients", settings.maxclients.to_string()),
        ("databases", settings.databases.to_string()),
    ];
    let mut found = Vec::new();
    for (name, value) in known {
        if call.words[2..]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        {
            found.push(Reply::Bulk(name.as_bytes().to_vec()));
            found.push(Reply::Bulk(value.into_bytes()));
        }
    }
    Reply::Array(found)
}

/// CONFIG SET maxmemory
pub(super) fn config_set(call: &mut Call<'_>) -> Reply {
    match (call.option(2).as_str(), call.integer(3)) {
        ("MAXMEMORY", Ok(bytes)) if bytes >= 0 => {
            call.server.settings.maxmemory = bytes.unsigned_abs();
            Reply::OK
        }
        ("MAXMEMORY", _) => Reply::error(
            "CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value",
        ),
        _ => Reply::error("Unknown option or number of arguments for CONFIG SET"),
    }
}
