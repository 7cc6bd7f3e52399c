//! The catalog against a real MariaDB and against what RMT answered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::registration;
use common::server::Server;
use common::tree::large_tree;
use registration::Registration;
use registration::catalog::{Activation, BaseUrl, Rendering, Trees, missing};
use registration::store::{Criteria, Interruption, Session, Wanted};
use serde_json::Value;
use sqlx::AssertSqlSafe;

/// One server for all of this file: they take seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalog_against_a_database() {
    let server = Server::start("catalog").await;

    renders_what_was_recorded(&server).await;
    finds_products(&server).await;
    knows_relatives(&server).await;
    says_what_is_missing(&server).await;
    keeps_the_order_of_the_database(&server).await;
    survives_circles_and_what_is_not_there(&server).await;
    takes_few_statements(&server).await;
}

/// RMT's tables with the catalog of the recordings.
async fn catalog(server: &Server, name: &str) -> (String, Registration) {
    let database = server.database(name).await;
    let path = conformance().join("catalog.sql");
    execute(server, &database, std::fs::read_to_string(path).unwrap()).await;
    let registration = registration(server, &database);
    (database, registration)
}

async fn execute(server: &Server, database: &str, statements: String) {
    let mut root = server.root(database).await;
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut root)
        .await
        .unwrap();
}

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/conformance")
}

fn rendering(base: &str) -> Rendering {
    Rendering::new(BaseUrl::parse(base).unwrap())
}

async fn session(registration: &Registration) -> Session {
    registration.store().session().await.unwrap()
}

/// The activations of a system, with the trees of their products.
async fn activations(
    session: &mut Session,
    system_id: u64,
) -> Result<(Vec<Activation>, Trees), Interruption> {
    let (activations, _) = session.activations(system_id).await?;
    let products: Vec<u64> = activations.iter().map(|it| it.product_id).collect();
    Ok((activations, session.trees(&products).await?))
}

/// Every body about the catalog in the recordings.
async fn renders_what_was_recorded(server: &Server) {
    let (database, registration) = catalog(server, "recorded").await;
    let mut compared = BTreeMap::new();
    for directory in ["cases", "pubcloud"] {
        let mut files: Vec<_> = std::fs::read_dir(conformance().join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let case: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            let mut session = session(&registration).await;
            let mut given =
                "DELETE FROM activations; DELETE FROM system_profiles; DELETE FROM profiles; \
                             DELETE FROM system_uptimes; DELETE FROM deregistered_systems; \
                             DELETE FROM systems"
                    .to_owned();
            for statement in case["given"].as_array().into_iter().flatten() {
                given = format!("{given}; {}", statement.as_str().unwrap());
            }
            execute(server, &database, given).await;
            let steps = case["steps"].as_array().unwrap();
            let answers = case["expect"]["steps"].as_array().unwrap();
            for (step, answer) in steps.iter().zip(answers) {
                if !(200..300).contains(&answer["status"].as_u64().unwrap()) {
                    continue;
                }
                let request = Request::of(&step["request"]);
                let base = "http://127.0.0.1:4224";
                let mut rendering = rendering(base);
                let in_cloud = directory == "pubcloud";
                rendering.appearance.plugin_urls = in_cloud;
                rendering.appearance.free_as_stored = in_cloud;
                rendering.appearance.credentials_in_repoindex = in_cloud;
                let recorded = answer["body"].as_str().unwrap().replace("<base>", base);
                let body = request.answer(&mut session, &rendering, &recorded).await;
                if let Some((kind, body)) = body.unwrap() {
                    assert_eq!(body, recorded_ids(&recorded, &body), "{}", file.display());
                    *compared.entry(kind).or_insert(0) += 1;
                }
            }
        }
    }
    let least = [
        ("activations", 2),
        ("installer", 1),
        ("product", 8),
        ("repoindex", 2),
        ("service", 37),
        ("subscription", 1),
        ("synchronize", 1),
    ];
    for (kind, least) in least {
        let bodies = compared.get(kind).copied().unwrap_or_default();
        assert!(bodies >= least, "{bodies} bodies of {kind}: {compared:?}");
    }
}

/// `recorded` with ids in the place of their names, those that `body` has there.
fn recorded_ids(recorded: &str, body: &str) -> String {
    let mut out = recorded.to_owned();
    // In the order they stand in, for only up to the first of them the texts are alike.
    while let Some(at) = ["\"<activation:", "\"<system:"]
        .iter()
        .filter_map(|name| out.find(name))
        .min()
    {
        let end = at + out[at..].find(">\"").unwrap() + 2;
        let id: String = body[at..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        assert!(
            !id.is_empty(),
            "no id where one was recorded: {}",
            &body[..at]
        );
        out.replace_range(at..end, &id);
    }
    out
}

struct Request {
    method: String,
    path: String,
    params: Value,
    token: Option<String>,
}

impl Request {
    fn of(recorded: &Value) -> Self {
        let path = recorded["path"].as_str().unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut params = recorded["json"].clone();
        if params.is_null() {
            params = Value::Object(serde_json::Map::new());
        }
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            params[key] = value.into();
        }
        let token = recorded["headers"]["Authorization"].as_str();
        let token = token.and_then(|it| it.strip_prefix("Token token="));
        Self {
            method: recorded["method"].as_str().unwrap().to_owned(),
            path: path.to_owned(),
            params,
            token: token.map(|it| it.trim_matches('"').to_owned()),
        }
    }

    /// What kind of answer this is, and the answer; nothing for what is not about the catalog.
    async fn answer(
        &self,
        session: &mut Session,
        rendering: &Rendering,
        recorded: &str,
    ) -> Result<Option<(&'static str, String)>, Interruption> {
        let service = self.path.strip_prefix("/services/").map(|rest| {
            let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
            id.parse().unwrap()
        });
        let answer = match (self.method.as_str(), self.path.as_str()) {
            ("GET", "/connect/systems/products") => {
                let id = self.product(session).await?;
                let trees = session.trees(&[id]).await?;
                ("product", rendering.product(&trees, id).unwrap())
            }
            ("POST" | "PUT" | "DELETE", "/connect/systems/products") => {
                let id = self.product(session).await?;
                let trees = session.trees(&[id]).await?;
                let recorded: Value = serde_json::from_str(recorded).unwrap();
                let obsoleted = recorded["obsoleted_service_name"].as_str();
                let service = rendering.service(&trees, id, obsoleted);
                ("service", service.unwrap())
            }
            ("GET", "/connect/systems/activations") => {
                let (activations, trees) = activations(session, 1).await?;
                if activations.is_empty() {
                    return Ok(None);
                }
                ("activations", rendering.activations(&trees, &activations))
            }
            ("POST", "/connect/systems/products/synchronize") => {
                let sent = self.params["products"].as_array().unwrap();
                let (activations, known) = activations(session, 1).await?;
                let stay = |id: &u64| {
                    let label = &known.product(*id).unwrap().label;
                    sent.iter()
                        .any(|it| it["identifier"].as_str() == label.identifier.as_deref())
                };
                let ids = activations.iter().map(|it| it.product_id);
                // By their services' ids, which are the products' here.
                let mut ids: Vec<u64> = ids.filter(stay).collect();
                ids.sort_unstable();
                let trees = session.trees(&ids).await?;
                let rendering = Rendering {
                    base_url: rendering.base_url.for_synchronize(),
                    ..rendering.clone()
                };
                ("synchronize", rendering.products(&trees, &ids))
            }
            ("GET", "/connect/subscriptions/products") => {
                assert_eq!(self.token.as_deref(), Some("OK-631dff"));
                let products = session.subscription_products(1, &self.criteria()).await?;
                let ids: Vec<u64> = products.iter().map(|label| label.id).collect();
                let trees = session.trees(&ids).await?;
                ("subscription", rendering.products(&trees, &ids))
            }
            ("GET", "/connect/repositories/installer") => {
                let id = self.product(session).await?;
                let repositories = session.repositories(id).await?;
                let shown = repositories
                    .iter()
                    .filter(|it| it.installer_updates && it.mirroring_enabled);
                ("installer", rendering.repositories(shown))
            }
            ("GET", _) if service.is_some() => {
                let product = session.product_of_service(service.unwrap()).await?.unwrap();
                let repositories = session.repositories(service.unwrap()).await?;
                (
                    "repoindex",
                    rendering.repoindex(&product.label, &repositories),
                )
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    fn criteria(&self) -> Criteria {
        let text = |key| match self.params[key].as_str() {
            Some(text) => Wanted::text(text),
            None => Wanted::Any,
        };
        Criteria {
            identifier: text("identifier"),
            version: Wanted::version(self.params["version"].as_str().unwrap()),
            arch: text("arch"),
            release_type: Wanted::Any,
        }
    }

    async fn product(&self, session: &mut Session) -> Result<u64, Interruption> {
        let product = session.find_product(&self.criteria()).await?;
        Ok(product.expect("a product that was recorded").label.id)
    }
}

async fn finds_products(server: &Server) {
    let (_, registration) = catalog(server, "find").await;
    let mut session = session(&registration).await;
    let sles = Criteria {
        identifier: Wanted::text("sles"),
        ..Criteria::default()
    };
    for (criteria, id) in [
        (sles.clone(), Some(1)),
        (
            Criteria {
                version: Wanted::version("12-5"),
                ..sles.clone()
            },
            Some(16),
        ),
        (
            Criteria {
                version: Wanted::version("12.0"),
                ..sles.clone()
            },
            Some(19),
        ),
        (
            Criteria {
                arch: Wanted::text("aarch64"),
                ..sles.clone()
            },
            Some(20),
        ),
        (
            Criteria {
                arch: Wanted::Null,
                ..sles.clone()
            },
            None,
        ),
        (
            Criteria {
                arch: Wanted::OneOf(vec![]),
                ..sles
            },
            None,
        ),
        (
            Criteria {
                release_type: Wanted::text("HPE-DVD"),
                ..Criteria::default()
            },
            Some(15),
        ),
        (
            Criteria {
                identifier: Wanted::text("RES"),
                release_type: Wanted::Null,
                ..Criteria::default()
            },
            None,
        ),
    ] {
        let found = session.find_product(&criteria).await.unwrap();
        assert_eq!(found.map(|product| product.label.id), id, "{criteria:?}");
    }
    let ha = session.product_of_service(5).await.unwrap().unwrap();
    assert_eq!(
        (ha.label.id, ha.service_id, ha.free),
        (5, Some(5), Some(false))
    );
    assert_eq!(session.product_of_service(4711).await.unwrap(), None);
    let no_service = Criteria {
        identifier: Wanted::text("no-service"),
        ..Criteria::default()
    };
    let found = session.find_product(&no_service).await.unwrap().unwrap();
    assert_eq!(found.service_id, None);
}

async fn knows_relatives(server: &Server) {
    let (_, registration) = catalog(server, "relatives").await;
    let mut session = session(&registration).await;
    for (id, bases, roots) in [
        (1, vec![], vec![]),
        // What real RMT said of these: one base for each root, in the order of the rows.
        (4, vec![2, 2], vec![1, 10]),
        (18, vec![19, 16], vec![19, 16]),
    ] {
        let (known, _) = session.surroundings(&[id]).await.unwrap();
        let relatives = known[0].relatives();
        let ids = |labels: &[registration::catalog::Label]| -> Vec<u64> {
            labels.iter().map(|label| label.id).collect()
        };
        assert_eq!(
            (ids(&relatives.bases), ids(&relatives.roots)),
            (bases, roots)
        );
    }
}

async fn says_what_is_missing(server: &Server) {
    let (database, registration) = catalog(server, "missing").await;
    let mut session = session(&registration).await;
    assert_eq!(missing(&session.repositories(1).await.unwrap()), []);
    let change = "UPDATE repositories SET mirroring_enabled = 0 WHERE id IN (102, 103); \
                  UPDATE repositories SET last_mirrored_at = NULL, scc_id = NULL WHERE id = 101";
    execute(server, &database, change.to_owned()).await;
    let repositories = session.repositories(1).await.unwrap();
    assert_eq!(missing(&repositories), [None, Some(9102)]);
    assert_eq!(session.repositories(12).await.unwrap(), []);
}

/// The ids of a rendered tree.
fn shape(product: &Value) -> String {
    let below = product["extensions"].as_array().unwrap();
    let below: Vec<String> = below.iter().map(shape).collect();
    format!("{}[{}]", product["id"], below.join(" "))
}

async fn rendered(session: &mut Session, root: u64) -> Value {
    let trees = session.trees(&[root]).await.unwrap();
    let body = rendering("http://rmt").product(&trees, root).unwrap();
    serde_json::from_str(&body).unwrap()
}

async fn keeps_the_order_of_the_database(server: &Server) {
    let (database, registration) = catalog(server, "order").await;
    let change = "DELETE FROM products_extensions; DELETE FROM repositories_services; \
                  INSERT INTO products_extensions (product_id, extension_id, root_product_id) \
                  VALUES (1, 5, 1), (1, 2, 1), (2, 4, 7), (2, 3, 1), (5, 3, 1), (1, 4, 1); \
                  INSERT INTO repositories_services (repository_id, service_id) \
                  VALUES (103, 1), (101, 1), (102, 1), (101, 2)";
    execute(server, &database, change.to_owned()).await;
    let mut session = session(&registration).await;
    let tree = rendered(&mut session, 1).await;
    assert_eq!(shape(&tree), "1[2[3[]] 4[] 5[3[]]]");
    let repositories = tree["repositories"].as_array().unwrap();
    let ids: Vec<u64> = repositories
        .iter()
        .map(|it| it["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [101, 102, 103]);
    assert_eq!(tree["extensions"][0]["repositories"][0]["id"], 101);
}

async fn survives_circles_and_what_is_not_there(server: &Server) {
    let (database, registration) = catalog(server, "circles").await;
    let change = "DELETE FROM products_extensions; \
                  INSERT INTO products_extensions (product_id, extension_id, root_product_id) \
                  VALUES (1, 2, 1), (2, 3, 1), (3, 2, 1), (3, 1, 1), (1, 1, 1), (9, 8, 1)";
    execute(server, &database, change.to_owned()).await;
    let mut session = session(&registration).await;
    assert_eq!(shape(&rendered(&mut session, 1).await), "1[2[3[]]]");
    let trees = session.trees(&[4711]).await.unwrap();
    assert_eq!(rendering("http://rmt").product(&trees, 4711), None);
    let trees = session.trees(&[]).await.unwrap();
    assert_eq!(rendering("http://rmt").products(&trees, &[1]), "[]");
    let (activations, _) = session.activations(4711).await.unwrap();
    assert_eq!(activations, []);
}

async fn takes_few_statements(server: &Server) {
    let database = server.database("few").await;
    let registration = registration(server, &database);
    let mut statements = large_tree();
    for id in 1..=22 {
        statements.push_str(&format!(
            "; SET FOREIGN_KEY_CHECKS = 0; INSERT INTO activations (system_id, service_id, created_at, \
             updated_at) VALUES (1, {id}, NOW(), NOW())"
        ));
    }
    execute(server, &database, statements).await;

    let mut session = session(&registration).await;
    let rendering = rendering("http://rmt");
    let start = server.selects().await;
    let trees = session.trees(&[1]).await.unwrap();
    assert_eq!(server.selects().await - start, 1 + 1);
    let body = rendering.product(&trees, 1).unwrap();
    assert_eq!(body.matches("\"extensions\":").count(), 22);
    assert_eq!(body.matches("\"autorefresh\":").count(), 110);

    let start = server.selects().await;
    let (activations, trees) = activations(&mut session, 1).await.unwrap();
    assert_eq!(server.selects().await - start, 2 + 1);
    let body = rendering.activations(&trees, &activations);
    assert_eq!(body.matches("\"system_id\":1").count(), 22);
    assert_eq!(body.matches("\"extensions\":").count(), 22 + 21);
}
