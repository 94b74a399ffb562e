//! The executable as a user runs it, against real redis-servers.

#[cfg(test)]
mod command;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod existing;
#[cfg(test)]
mod invalid;
#[cfg(test)]
mod managed;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod signals;
