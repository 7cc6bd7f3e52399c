//! What the core costs without Ruby: `cargo bench -p registration`. Announce and activate are carried out
//! against a MariaDB of the bench's own, as durable as any; parsing and rendering need none.
//!
//! "systems per second" holds announces that meet against a bare loop of the statements they are combined
//! to: what is between the two is all that the core adds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "benches fail that way"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::registration;
use common::server::Server;
use criterion::{Criterion, Throughput};
use registration::catalog::{BaseUrl, Rendering, Trees};
use registration::{
    Action, Actor, Announced, Caller, Checked, Credentials, Entropy, OperatingSystem, Progress,
    Registration, TokenHeader, params,
};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection};
use time::{OffsetDateTime, PrimitiveDateTime};
use tokio::runtime::Runtime;

const ANNOUNCE: &[u8] =
    br#"{"hostname":"web01","hwinfo":{"cpus":4,"sockets":1,"hypervisor":"KVM","arch":"x86_64",
"uuid":"00000000-0000-4000-8000-000000000001","cloud_provider":"amazon","mem_total":16384}}"#;
const ACTIVATE: &[u8] = br#"{"identifier":"p1","version":"15.6","arch":"x86_64","token":"CODE"}"#;

/// A base product with 21 modules, two below each, five repositories for each, all of them mirrored, and a
/// subscription for it.
const CATALOG: &str = "\
INSERT INTO products (id, name, identifier, former_identifier, version, arch, product_type, product_class, free,
    release_stage, friendly_version, shortname, cpe, eula_url, description)
  SELECT seq, CONCAT('Product ', seq), CONCAT('p', seq), CONCAT('p', seq), '15.6', 'x86_64',
    IF(seq = 1, 'base', 'module'), 'CLASS', seq > 1, 'released', '15 SP6', 'p', 'cpe:/o:suse:p:15:sp6',
    'https://updates.example.com/license/', REPEAT('<p>What it is for.</p> ', 25) FROM seq_1_to_22;
INSERT INTO services (id, product_id, created_at, updated_at) SELECT seq, seq, NOW(), NOW() FROM seq_1_to_22;
INSERT INTO products_extensions (product_id, extension_id, root_product_id, recommended)
  SELECT seq DIV 2, seq, 1, seq < 5 FROM seq_2_to_22;
INSERT INTO repositories (id, scc_id, name, description, external_url, local_path, enabled, mirroring_enabled,
    last_mirrored_at)
  SELECT seq, seq, CONCAT('Product-SP6-Updates-', seq), CONCAT('Updates of product ', seq),
    CONCAT('https://updates.example.com/SUSE/Updates/', seq), CONCAT('/SUSE/Updates/', seq), 1, 1, NOW()
  FROM seq_1_to_110;
INSERT INTO repositories_services (repository_id, service_id) SELECT seq, (seq - 1) DIV 5 + 1 FROM seq_1_to_110;
INSERT INTO subscriptions (id, regcode, name, kind, status, system_limit, systems_count, created_at, updated_at)
  VALUES (1, 'CODE', 'All of it', 'full', 'ACTIVE', 1, 0, NOW(), NOW());
INSERT INTO subscription_product_classes (subscription_id, product_class) VALUES (1, 'CLASS')";

fn rendering() -> Rendering {
    Rendering::new(BaseUrl::parse("https://rmt.example.com").unwrap())
}

async fn announce(registration: &Registration) -> Announced {
    registration
        .announce(ANNOUNCE, &Progress::default())
        .await
        .unwrap()
}

fn credentials(system: &Announced) -> Credentials {
    Credentials {
        login: system.login.clone(),
        password: system.password.clone(),
        token: TokenHeader::Present(Some(String::new())),
        user_agent: Some("SUSEConnect/1.21.0".to_owned()),
        tokens_enabled: true,
        skip_on_duplicated: false,
        defer: true,
    }
}

/// What a client's request to activate the base product makes the core do.
async fn activate(registration: &Registration, system: &Announced) {
    let progress = Progress::default();
    let (authenticated, checked) = registration
        .check(
            &Caller::Unknown(credentials(system)),
            Action::Activate,
            ACTIVATE,
            &progress,
        )
        .await
        .unwrap();
    assert!(checked.failed.is_none(), "{:?}", checked.failed);
    let authenticated = authenticated.unwrap();
    let actor = Actor {
        note: authenticated.note.clone(),
        rotate_token: authenticated.knows_tokens(),
        ..Actor::new(authenticated.system)
    };
    let subscription = checked.subscription.as_ref().map(|it| it.id);
    let acted = registration
        .activate(&checked, &actor, subscription, &rendering(), &progress)
        .await
        .unwrap();
    assert_eq!(acted.created.len(), 1);
}

/// Each time a system that was announced just now, which is not counted.
async fn activations(registration: &Registration, count: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..count {
        let system = announce(registration).await;
        let begun = Instant::now();
        activate(registration, &system).await;
        spent += begun.elapsed();
    }
    spent
}

/// The base product as it is shown to a system that has it, and is remembered.
async fn remembered(registration: &Registration) -> Checked {
    let system = announce(registration).await;
    activate(registration, &system).await;
    let credentials = Credentials {
        token: TokenHeader::Absent,
        ..credentials(&system)
    };
    let caller = Caller::Unknown(credentials);
    let progress = Progress::default();
    let checked = registration.check(&caller, Action::Show, ACTIVATE, &progress);
    let (_, checked) = checked.await.unwrap();
    assert!(checked.failed.is_none(), "{:?}", checked.failed);
    checked
}

async fn tree(registration: &Registration) -> Trees {
    let mut session = registration.store().session().await.unwrap();
    session.trees(&[1]).await.unwrap()
}

fn against_a_database(criterion: &mut Criterion) -> (Trees, Checked) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start("bench"));
    let database = runtime.block_on(async {
        let database = server.database("bench").await;
        let mut root = server.root(&database).await;
        root.execute(sqlx::raw_sql(CATALOG)).await.unwrap();
        database
    });
    let forgetful = registration(&server, &database);
    let registration = registration(&server, &database);

    runtime.block_on(async {
        // Each opens its connection, one of them before there were triggers.
        activate(&forgetful, &announce(&forgetful).await).await;
        server.install_triggers(&database).await;
        activate(&registration, &announce(&registration).await).await;
    });
    criterion.bench_function("announce", |bencher| {
        bencher.to_async(&runtime).iter(|| announce(&registration));
    });
    for (name, registration) in [
        ("check and activate, nothing remembered", &forgetful),
        ("check and activate what is remembered", &registration),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher
                .to_async(&runtime)
                .iter_custom(|count| activations(registration, count));
        });
    }
    let remembered = runtime.block_on(remembered(&registration));
    (runtime.block_on(tree(&registration)), remembered)
}

/// Systems that are counted as one step.
const SYSTEMS: u64 = 1_024;
/// Clients that announce one system after the other: so many that all statements are full.
const CLIENTS: u64 = 512;
/// As the core combines: statements in flight, systems in each.
const WRITERS: u64 = 2;
const BATCH: u64 = 64;

/// Announces `count` times [`SYSTEMS`].
async fn announces(registration: &Registration, count: u64) -> Duration {
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let registration = registration.clone();
            tokio::spawn(async move {
                for _ in 0..count * SYSTEMS / CLIENTS {
                    announce(&registration).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    begun.elapsed()
}

/// Sends the same INSERTs for `count` times [`SYSTEMS`], and does nothing else.
async fn bare_loop(options: &MySqlConnectOptions, count: u64) -> Duration {
    let mut connections = Vec::new();
    for _ in 0..WRITERS {
        connections.push(options.connect().await.unwrap());
    }
    let begun = Instant::now();
    let loops: Vec<_> = (connections.into_iter())
        .map(|mut connection| {
            tokio::spawn(async move {
                for _ in 0..count * SYSTEMS / WRITERS / BATCH {
                    insert(&mut connection).await;
                }
            })
        })
        .collect();
    for each in loops {
        each.await.unwrap();
    }
    begun.elapsed()
}

async fn insert(connection: &mut MySqlConnection) {
    const INFORMATION: &str = r#"{"cpus":4,"sockets":1,"hypervisor":"KVM","arch":"x86_64","uuid":"00000000-0000-4000-8000-000000000001","cloud_provider":"amazon","mem_total":16384}"#;
    let now = OffsetDateTime::now_utc();
    let now = PrimitiveDateTime::new(now.date(), now.time());
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?)"; BATCH as usize].join(", ");
    let mut query = sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO systems (login, password, hostname, system_information, \
         registered_at, created_at, updated_at) VALUES {rows} RETURNING login, id"
    )));
    for _ in 0..BATCH {
        let mut random = [0; 24];
        OperatingSystem.fill(&mut random).unwrap();
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        query = query
            .bind(format!("SCC_{}", &hex[..32]))
            .bind(hex[32..].to_owned())
            .bind("web01")
            .bind(INFORMATION)
            .bind(now)
            .bind(now)
            .bind(now);
    }
    assert_eq!(query.fetch_all(connection).await.unwrap().len(), 64);
}

/// The table as large at the start of each measurement as of the others: empty.
async fn empty(server: &Server, database: &str) {
    let mut root = server.root(database).await;
    let statements = "SET FOREIGN_KEY_CHECKS = 0; TRUNCATE systems";
    root.execute(sqlx::raw_sql(statements)).await.unwrap();
}

fn systems_per_second(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::start("bench-combined"));
    let database = runtime.block_on(server.database("combined"));
    let registration = registration(&server, &database);
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(server.port)
        .username("rmt")
        .password("rmt")
        .database(&database)
        .disable_statement_logging();
    let mut group = criterion.benchmark_group("systems per second");
    group.throughput(Throughput::Elements(SYSTEMS));
    group.sample_size(20);
    group.bench_function("bare loop", |bencher| {
        bencher.to_async(&runtime).iter_custom(async |count| {
            empty(&server, &database).await;
            bare_loop(&options, count).await
        });
    });
    group.bench_function("combined announces", |bencher| {
        bencher.to_async(&runtime).iter_custom(async |count| {
            empty(&server, &database).await;
            announces(&registration, count).await
        });
    });
    group.finish();
}

fn in_memory(criterion: &mut Criterion, trees: &Trees, remembered: &Checked) {
    let rendering = rendering();
    let length = rendering.product(trees, 1).unwrap().len();
    let mut group = criterion.benchmark_group("in memory");
    group.throughput(Throughput::Bytes(length as u64));
    group.bench_function("render a tree of 22 products", |bencher| {
        bencher.iter(|| rendering.product(black_box(trees), 1));
    });
    assert_eq!(remembered.show(&rendering).unwrap().len(), length);
    group.bench_function("fill in a remembered tree of 22 products", |bencher| {
        bencher.iter(|| black_box(remembered).show(black_box(&rendering)));
    });
    group.throughput(Throughput::Bytes(ANNOUNCE.len() as u64));
    group.bench_function("parse a body", |bencher| {
        bencher.iter(|| {
            let mut parsed = params::parse(black_box(ANNOUNCE)).unwrap();
            params::take_permitted(&mut parsed, "hwinfo")
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (trees, remembered) = against_a_database(&mut criterion);
    systems_per_second(&mut criterion);
    in_memory(&mut criterion, &trees, &remembered);
    criterion.final_summary();
}
