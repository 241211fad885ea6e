//! Why a request was refused, as a code and a sentence.

use crate::protocol::Failure;
use sporenet_core::{
    kernel::text::Text,
    node::contract::Refusal,
    replication::write::{WriteBlock, WriteRefusal},
};

pub(super) fn text<const MAX: usize>(text: &str, what: &str) -> Result<Text<MAX>, Failure> {
    Text::new(text).map_err(|error| {
        Failure::new(
            &format!("bad_{what}"),
            format!("the {what} is not valid: {error}"),
        )
    })
}

pub(super) fn refused(refusal: &Refusal) -> Failure {
    let code = match refusal {
        Refusal::Write(WriteRefusal::ValueTooLarge { .. }) => "value_too_large",
        Refusal::Write(WriteRefusal::Full) => "full",
        Refusal::Write(WriteRefusal::Busy) => "busy",
        Refusal::Write(WriteRefusal::NotReplicated) => "not_replicated",
        Refusal::Write(WriteRefusal::KeyAhead { .. }) => "key_ahead",
        Refusal::Write(WriteRefusal::Reserved) => "reserved",
        Refusal::Write(WriteRefusal::KeyReserved) => "key_reserved",
        Refusal::Write(WriteRefusal::OtherKind { .. }) => "other_kind",
        Refusal::Write(WriteRefusal::TooMany { .. }) => "too_many",
        Refusal::Write(WriteRefusal::PartTooLong { .. }) => "part_too_long",
        Refusal::Write(WriteRefusal::NotWritable { blocks })
            if blocks.contains(&WriteBlock::NamespacesFull) =>
        {
            "namespaces_full"
        }
        Refusal::Write(WriteRefusal::NotWritable { .. }) => "not_writable",
        Refusal::Wish(wish) => wish.code(),
        // A page never asks for an invite.
        Refusal::Invite(_) => "invite",
        // Nor to forget a member, or to compare.
        Refusal::Forget(_) => "forget",
        Refusal::Verify(_) => "verify",
    };
    Failure::new(code, refusal)
}
