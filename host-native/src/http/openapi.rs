//! `/api/v1/openapi.json`: the API in the words of OpenAPI 3.1, for programs that make clients. Its tests hold it
//! against the router and the types.

use crate::http::{
    answer::of_type,
    asked::{InQuery, Nothing},
};
use axum::{body::Body, response::Response};

/// The description, written by hand.
const DESCRIPTION: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`.
pub(crate) async fn openapi(InQuery(Nothing {}): InQuery<Nothing>) -> Response {
    std::future::ready(of_type("application/json", Body::from(DESCRIPTION))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        channels, history,
        http::{
            alerts, arrival, asked::fields_of, history as rows, invites, key_parameter, notify,
            reach, recording, savepoints, series, status, verify,
        },
        links::ws,
    };
    use axum::http::header;
    use serde_json::Value;
    use sporenet_core::{
        node::{alert_views, data, recording::RecordingStatus, snapshot},
        replication::replica::ShardFootprint,
    };
    use std::collections::{BTreeMap, BTreeSet};

    /// Where the routes are written.
    const ROUTER: &str = include_str!("mod.rs");
    /// The keys of a path that are methods.
    const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "head"];

    /// The methods of each path.
    type Routes = BTreeMap<String, BTreeSet<String>>;

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap()
    }

    /// The calls of `.route(PATH, METHODS)` in a text.
    fn routes(text: &str, below: &str) -> Routes {
        let calls = text.split(".route(").skip(1);
        let routes = calls.map(|call| {
            let (path, methods) = call.split_once(',').unwrap();
            let path = match path.trim() {
                "ws::PATH" => ws::PATH,
                path => path.trim_matches('"'),
            };
            // OpenAPI has no word for a parameter that takes the rest of a path.
            let path = format!("{below}{}", path.replace("{*", "{"));
            let takes = |method: &&&str| methods.contains(&format!("{method}("));
            let methods = METHODS.iter().filter(takes).map(ToString::to_string);
            (path, methods.collect())
        });
        routes.collect()
    }

    /// The routes of the router, and the keys as a parameter that are no routes.
    fn served() -> Routes {
        let (_, router) = ROUTER.split_once("fn router(").unwrap();
        let (router, _) = router.split_once(".layer(").unwrap();
        let (v1, other) = router.split_once("Router::new()\n        .nest(").unwrap();
        let mut all = routes(v1, "/api/v1");
        all.extend(routes(other, ""));
        let (_, values) = ROUTER.split_once("fn values(").unwrap();
        let (values, _) = values.split_once("\n}\n").unwrap();
        all.extend(routes(values, "/api/v1"));
        let by_path = all["/api/v1/kv/{ns}/{key}"].clone();
        let by_parameter = "/api/v1/kv/app?key=a".parse().unwrap();
        assert_eq!(
            key_parameter::in_path(&by_parameter).unwrap().path(),
            "/api/v1/kv/app/a"
        );
        all.get_mut("/api/v1/kv/{ns}").unwrap().extend(by_path);
        all
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let served = served();
        assert!(served.len() > 40, "the router is not read: {served:?}");
        assert!(served.values().all(|methods| !methods.is_empty()));
        let description = description();
        let paths = description["paths"].as_object().unwrap();
        let described: Routes = paths
            .iter()
            .map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                (path.clone(), methods.cloned().collect())
            })
            .collect();
        assert_eq!(described, served);
    }

    /// Everything in a value that is an object.
    fn objects<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
        match value {
            Value::Object(object) => {
                found.push(object);
                object.values().for_each(|value| objects(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| objects(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_component_is_used() {
        let description = description();
        let mut found = Vec::new();
        objects(&description, &mut found);
        let named = found
            .iter()
            .filter_map(|object| object.get("$ref")?.as_str());
        let named: BTreeSet<&str> = named.collect();
        for reference in &named {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
        for kind in ["parameters", "responses", "schemas"] {
            for name in description["components"][kind].as_object().unwrap().keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(
                    named.contains(reference.as_str()),
                    "{reference} is not used"
                );
            }
        }
    }

    /// The names of an operation's parameters in a place.
    fn parameters<'a>(
        description: &'a Value,
        operation: &'a Value,
        place: &str,
    ) -> BTreeSet<&'a str> {
        let all = operation["parameters"].as_array().into_iter().flatten();
        let resolved = all.map(|parameter| {
            let reference = parameter["$ref"].as_str();
            let pointer = reference.map(|reference| reference.trim_start_matches('#'));
            pointer.map_or(parameter, |at| description.pointer(at).unwrap())
        });
        resolved
            .filter(|parameter| parameter["in"] == place)
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn the_parameters_of_a_path_are_described() {
        let description = description();
        for (path, item) in description["paths"].as_object().unwrap() {
            let expected: BTreeSet<&str> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            for (method, operation) in item.as_object().unwrap() {
                let names = parameters(&description, operation, "path");
                assert_eq!(names, expected, "{method} {path}");
            }
        }
    }

    #[test]
    fn who_needs_no_token_is_told_so() {
        for (path, item) in description()["paths"].as_object().unwrap() {
            let needs_token = path == "/metrics" || path.starts_with("/api/");
            for (method, operation) in item.as_object().unwrap() {
                let says_none = operation["security"] == serde_json::json!([]);
                assert_ne!(says_none, needs_token, "{method} {path}");
                let refuses = operation["responses"].get("401").is_some();
                assert_eq!(refuses, needs_token, "{method} {path}");
            }
        }
    }

    /// The types whose schemas have the same fields.
    fn fields() -> Vec<(&'static str, &'static [&'static str])> {
        vec![
            ("Status", fields_of::<snapshot::Status>()),
            ("MemberCounts", fields_of::<snapshot::MemberCounts>()),
            ("KvCounts", fields_of::<snapshot::KvCounts>()),
            ("Place", fields_of::<snapshot::PlaceView>()),
            ("Member", fields_of::<snapshot::Member>()),
            ("Vitals", fields_of::<snapshot::NodeVitals>()),
            ("Path", fields_of::<snapshot::PathView>()),
            ("Edge", fields_of::<snapshot::Edge>()),
            ("Connection", fields_of::<snapshot::Connection>()),
            ("TransportOfNode", fields_of::<snapshot::TransportView>()),
            ("HealthOfNode", fields_of::<snapshot::NodeHealth>()),
            ("HealthTerm", fields_of::<snapshot::HealthTerm>()),
            ("LatestOfSeries", fields_of::<snapshot::SeriesView>()),
            ("Series", fields_of::<snapshot::SeriesPoints>()),
            ("Outlook", fields_of::<snapshot::Outlook>()),
            ("Finding", fields_of::<snapshot::Finding>()),
            ("Expected", fields_of::<snapshot::Expected>()),
            ("Score", fields_of::<snapshot::Score>()),
            ("TimelineEntry", fields_of::<snapshot::TimelineEntry>()),
            ("Alert", fields_of::<alert_views::AlertView>()),
            ("Incident", fields_of::<alert_views::IncidentView>()),
            ("Cause", fields_of::<alert_views::CauseView>()),
            ("Notified", fields_of::<alert_views::NotifiedView>()),
            ("Silence", fields_of::<alert_views::SilenceView>()),
            ("Channel", fields_of::<alert_views::ChannelView>()),
            ("Setting", fields_of::<alert_views::SettingView>()),
            ("SettingVersion", fields_of::<alert_views::VersionView>()),
            ("DryRun", fields_of::<alert_views::DryRun>()),
            ("DryAlert", fields_of::<alert_views::DryAlert>()),
            ("ChannelOfNode", fields_of::<channels::View>()),
            ("Delivery", fields_of::<channels::Delivery>()),
            ("JoinLinks", fields_of::<invites::Links>()),
            ("Reached", fields_of::<reach::Found>()),
            ("Data", fields_of::<data::DataView>()),
            ("VerifyWanted", fields_of::<verify::Wanted>()),
            ("Compared", fields_of::<verify::Compared>()),
            ("Differing", fields_of::<verify::Differing>()),
            ("DataShard", fields_of::<ShardFootprint>()),
            ("DataAuthor", fields_of::<data::AuthorView>()),
            ("Arrival", fields_of::<arrival::Arrival>()),
            ("HistoryStatus", fields_of::<history::Status>()),
            ("HistoryPage", fields_of::<rows::Answer>()),
            ("Savepoint", fields_of::<savepoints::View>()),
            ("SavepointWanted", fields_of::<savepoints::Wanted>()),
            ("RecordingStatus", fields_of::<RecordingStatus>()),
            ("InviteWanted", fields_of::<invites::Wanted>()),
            ("ForgetWanted", fields_of::<status::Gone>()),
            ("TestWanted", fields_of::<notify::Wanted>()),
            ("RecordingWanted", fields_of::<recording::Wanted>()),
            ("Acted", fields_of::<alerts::Acted>()),
            ("SilenceWanted", fields_of::<alerts::Hushed>()),
            ("SettingWanted", fields_of::<alerts::Wanted>()),
            ("VersionWanted", fields_of::<alerts::Version>()),
            ("DryRunWanted", fields_of::<alerts::Tried>()),
        ]
    }

    #[test]
    fn schemas_have_the_fields_of_their_types() {
        let description = description();
        for (name, fields) in fields() {
            let schema = &description["components"]["schemas"][name];
            let described = schema["properties"].as_object().unwrap().keys();
            let described: BTreeSet<&str> = described.map(String::as_str).collect();
            assert_eq!(described, fields.iter().copied().collect(), "{name}");
            if schema.get("additionalProperties").is_none() {
                // An answer always has all its fields.
                let required = schema["required"].as_array().unwrap().len();
                assert_eq!(required, fields.len(), "{name}");
            }
        }
    }

    #[test]
    fn queries_have_the_parameters_of_their_types() {
        let description = description();
        let queries = [
            ("/api/v1/alerts", fields_of::<alerts::Which>()),
            ("/api/v1/metrics/{series}", fields_of::<series::Asked>()),
            ("/api/v1/history/{kind}", fields_of::<rows::Asked>()),
        ];
        for (path, fields) in queries {
            let operation = &description["paths"][path]["get"];
            let names = parameters(&description, operation, "query");
            assert_eq!(names, fields.iter().copied().collect(), "{path}");
        }
    }

    #[tokio::test]
    async fn it_is_served_as_json() {
        let response = openapi(InQuery(Nothing {})).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        let served: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(served["openapi"], "3.1.0");
    }
}
