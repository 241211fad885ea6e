//! Notification channels: how people learn of incidents outside of the mesh (docs/operations.md, "Being called").
//!
//! | file | what lives there |
//! |---|---|
//! | `config` | `[[channel]]` in the configuration file, and what is wrong with it |
//! | `secret`, `url` | what is never shown: keys, passwords, addresses that let their holder write |
//! | `notification` | what is told, and what became of it |
//! | `text` | the words of a notification, cleaned and bounded |
//! | `dispatch` | one task a channel: a slow recipient slows nobody else |
//! | `queue` | what waits for a channel, and when it is tried again |
//! | `outcome`, `post` | what a recipient's answer means; a request over HTTP |
//! | `sender` | the sender of a channel's kind |
//! | `webhook`, `email`, `slack`, `pagerduty`, `ntfy`, `log` | the kinds |

mod config;
mod dispatch;
mod email;
mod log;
mod notification;
mod ntfy;
mod outcome;
mod pagerduty;
mod post;
mod queue;
mod secret;
mod sender;
mod slack;
mod text;
mod url;
mod webhook;

pub(crate) use config::{Channel, print, read};
pub(crate) use dispatch::{Channels, View, note};
pub(crate) use notification::{Delivery, Notification, State};
