//! Tests on a real cluster, which do what a new user would do after reading the README.

mod cancelled;
mod dynos_lost;
mod errored;
mod examples;
mod existing_redis;
mod failed;
mod forged;
mod formation;
mod inconclusive;
mod install;
mod managed_valkey;
mod network_policy;
mod node;
mod observed;
mod operator_killed;
mod quickstart;
mod releases;
mod rights;
mod tenants;
mod throttled;
mod validation;
