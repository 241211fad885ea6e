//! Paths, queries and bodies of requests. What can't be read, and what is not understood, is answered
//! with problem details: a parameter that is ignored would be a wish that is silently not granted.

use crate::http::problem::Problem;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, Visitor, value},
    forward_to_deserialize_any,
};
use std::{collections::BTreeSet, time::Duration};

/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// The largest body that holds JSON, in bytes. What is asked for in JSON has a few short fields.
const JSON_BYTES_MAX: usize = 16 << 10;

/// The variable parts of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InPath<T>(pub(crate) T);

/// A query. A parameter that `T` has no field for, and one that comes twice, is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InQuery<T>(pub(crate) T);

/// The query of what takes no parameters.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(path)) => Ok(Self(path)),
            Err(error) => Err(Problem::bad_request(format!(
                "The path is not valid: {error}."
            ))),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        std::future::ready(query(&parts.uri).map(Self)).await
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let invalid = |error: &dyn std::fmt::Display| {
        Problem::bad_request(format!("The query is not valid: {error}."))
    };
    let Query(named) =
        Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| invalid(&error))?;
    let known = fields_of::<T>();
    let mut seen = BTreeSet::new();
    for (name, _) in &named {
        if !known.contains(&name.as_str()) {
            return Err(Problem::bad_request(unknown(name, known)));
        }
        if !seen.insert(name) {
            return Err(Problem::bad_request(format!(
                "The parameter `{name}` is there twice; name it once."
            )));
        }
    }
    match Query::<T>::try_from_uri(uri) {
        Ok(Query(query)) => Ok(query),
        Err(error) => Err(invalid(&error)),
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    // Names are the client's own words; long ones are not sent back whole.
    let name: String = name.chars().take(64).collect();
    if known.is_empty() {
        return format!("The parameter `{name}` is not known; this path takes none.");
    }
    let known: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    format!(
        "The parameter `{name}` is not known; this path takes {}.",
        known.join(", ")
    )
}

/// The names of a struct's fields, as its `Deserialize` asks for them.
pub(super) fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It always fails: there is no value, only the question.
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, value::Error> {
        Err(value::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, value::Error> {
        *self.0 = fields;
        Err(value::Error::custom("no value"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Reads a body of at most `max` bytes, within a time.
///
/// # Errors
/// `too_large` when it is longer, or another problem when it does not arrive.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    max: usize,
    too_large: impl Fn() -> Problem,
) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_error(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("The body did not arrive whole.")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "The body took too long to arrive.",
        )),
    }
}

/// Reads a body of JSON; an empty one is `None`.
///
/// # Errors
/// When it does not arrive, is too long, is not valid or has a field that is not known.
pub(crate) async fn read_json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<T>, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is too large; it may have {JSON_BYTES_MAX} bytes."),
        )
    };
    let body = read_body(headers, body, JSON_BYTES_MAX, too_large).await?;
    if body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| Problem::bad_request(format!("The body is not valid: {error}.")))
}

fn is_length_error(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(at) = cause {
        if at.to_string().contains("length limit") {
            return true;
        }
        cause = at.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Page {
        prefix: Option<String>,
        limit: Option<usize>,
    }

    fn page(query_of: &str) -> Result<Page, String> {
        let uri = format!("/list{query_of}").parse().unwrap();
        query(&uri).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_query_is_read_as_a_whole() {
        let whole = Page {
            prefix: Some("a/b".to_owned()),
            limit: Some(7),
        };
        assert_eq!(page("?limit=7&prefix=a%2Fb"), Ok(whole));
        let empty = Page {
            prefix: None,
            limit: None,
        };
        assert_eq!(page(""), Ok(empty));
    }

    #[test]
    fn a_parameter_that_is_not_known_is_refused_by_name() {
        let refused = page("?limit=7&limits=8").unwrap_err();
        assert_eq!(
            refused,
            "The parameter `limits` is not known; this path takes `prefix`, `limit`."
        );
        let uri = "/livez?a".parse().unwrap();
        assert_eq!(
            query::<Nothing>(&uri).unwrap_err().detail,
            "The parameter `a` is not known; this path takes none."
        );
        assert!(query::<Nothing>(&"/livez".parse().unwrap()).is_ok());
        assert!(query::<Nothing>(&"/livez?".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused() {
        let refused = page("?limit=7&limit=7").unwrap_err();
        assert_eq!(
            refused,
            "The parameter `limit` is there twice; name it once."
        );
    }

    #[test]
    fn a_value_of_another_form_is_refused() {
        assert!(page("?limit=many").is_err());
        assert!(page("?limit=-1").is_err());
    }
}
