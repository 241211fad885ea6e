//! The only place where machines meet: one file a machine, every variant matched by name, so that a new
//! output breaks the build until someone decides where it goes.

mod admission;
mod journal;
mod links;
mod replica;
mod swim;
