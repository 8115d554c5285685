//! API definitions in the three languages that catalogs mostly hold, each a few hundred bytes, so that an API is the
//! largest kind of entity, as in real catalogs.

use super::prose::title;
use super::words;
use crate::random::Random;

/// A definition and the `spec.type` that goes with it.
pub(super) struct Definition {
    pub(super) api_type: &'static str,
    pub(super) text: String,
}

pub(super) fn definition(name: &str, random: &mut Random) -> Definition {
    match random.below(10) {
        0..=6 => Definition { api_type: "openapi", text: openapi(name, random) },
        7..=8 => Definition { api_type: "grpc", text: grpc(name, random) },
        _ => Definition { api_type: "graphql", text: graphql(name, random) },
    }
}

fn openapi(name: &str, random: &mut Random) -> String {
    let nouns = random.pick_some(words::NOUNS, 2);
    let version = random.between(1, 9);
    let paths: String = nouns.iter().map(|noun| openapi_path(noun)).collect();
    format!(
        "openapi: 3.1.0\ninfo:\n  title: {title}\n  version: {version}.0.0\n\
         servers:\n  - url: https://api.example.com/{name}/v{version}\npaths:\n{paths}",
        title = title(name),
    )
}

fn openapi_path(noun: &str) -> String {
    format!(
        "  /{noun}s/{{id}}:\n    get:\n      operationId: get_{noun}\n      \
         parameters:\n        - {{name: id, in: path, required: true, schema: {{type: string}}}}\n      \
         responses:\n        '200':\n          description: The {noun}\n        '404':\n          \
         description: There is no such {noun}\n"
    )
}

fn grpc(name: &str, random: &mut Random) -> String {
    let nouns = random.pick_some(words::NOUNS, 2);
    let package = name.replace(['-', '.'], "_");
    let methods: String = nouns.iter().map(|noun| grpc_method(&title(noun))).collect();
    let messages: String = nouns.iter().map(|noun| grpc_messages(&title(noun))).collect();
    format!(
        "syntax = \"proto3\";\n\npackage example.{package}.v1;\n\nservice {service} {{\n{methods}}}\n{messages}",
        service = title(name).replace(' ', ""),
    )
}

fn grpc_method(message: &str) -> String {
    format!(
        "  // Ends with NOT_FOUND when there is none.\n  rpc Get{message}(Get{message}Request) returns ({message});\n"
    )
}

fn grpc_messages(message: &str) -> String {
    format!(
        "\nmessage Get{message}Request {{\n  string id = 1;\n}}\n\nmessage {message} {{\n  string id = 1;\n  \
         int64 amount_minor_units = 2;\n}}\n"
    )
}

fn graphql(name: &str, random: &mut Random) -> String {
    let nouns = random.pick_some(words::NOUNS, 3);
    let queries: String = nouns.iter().map(|noun| graphql_query(noun)).collect();
    let types: String = nouns.iter().map(|noun| graphql_type(&title(noun))).collect();
    format!("\"\"\"Schema of {name}\"\"\"\ntype Query {{\n{queries}}}\n{types}")
}

fn graphql_query(noun: &str) -> String {
    format!("  {noun}(id: ID!): {}\n", title(noun))
}

fn graphql_type(name: &str) -> String {
    format!(
        "\ntype {name} {{\n  id: ID!\n  createdAt: String!\n  \"Smallest unit of the currency\"\n  amount: Int\n}}\n"
    )
}
