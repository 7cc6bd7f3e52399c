//! What is printed of values that hold secrets, by whoever prints them.

use registration::catalog::Subscription;
use registration::store::NewSystem;
use registration::{Actor, Announced, SystemRow, TokenHeader};
use time::macros::datetime;

const SECRET: &str = "hunter2";

fn secret() -> Option<String> {
    Some(SECRET.to_owned())
}

#[test]
fn secrets_are_not_printed() {
    let then = datetime!(2026-01-01 00:00);
    let row = SystemRow {
        id: 1,
        login: "SCC_a".to_owned(),
        password: SECRET.to_owned(),
        hostname: None,
        registered_at: None,
        last_seen_at: None,
        created_at: then,
        updated_at: then,
        scc_registered_at: None,
        scc_system_id: None,
        system_token: secret(),
        system_information: None,
        instance_data: secret(),
        proxy_byos_mode: None,
        pubcloud_reg_code: secret(),
    };
    let system = NewSystem {
        login: "SCC_a".to_owned(),
        password: SECRET.to_owned(),
        hostname: None,
        system_information: "null".to_owned(),
        announced_at: then.assume_utc(),
    };
    let announced = Announced {
        id: 1,
        login: "SCC_a".to_owned(),
        password: SECRET.to_owned(),
        hostname: None,
        system_information: "null".to_owned(),
        announced_at: then.assume_utc(),
        clear_profile_cache: false,
    };
    let subscription = Subscription {
        regcode: SECRET.to_owned(),
        name: String::new(),
        kind: String::new(),
        status: String::new(),
        starts_at: None,
        expires_at: None,
    };
    for printed in [
        format!("{row:?}"),
        format!("{:?}", Actor::new(row.clone())),
        format!("{system:?}"),
        format!("{announced:?}"),
        format!("{subscription:?}"),
        format!("{:?}", TokenHeader::Present(secret())),
    ] {
        assert!(printed.contains("[secret]"), "{printed}");
        assert!(!printed.contains(SECRET), "{printed}");
    }
}
