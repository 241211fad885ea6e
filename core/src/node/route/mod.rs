//! The only place where machines meet: one file a room, every variant matched by name, so that a new
//! output breaks the build until someone decides where it goes.

mod admission;
mod links;
mod membership;
mod recovery;
mod replication;
