//! What holds whatever is sent: a function for each kind of input, which panics where it does not hold.
//! Fuzzers call them (`fuzz/` in the repository), and a test replays the inputs that are kept there. None
//! needs a database.

#![allow(clippy::expect_used)]

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::authenticate::merged;
use crate::catalog::{
    BaseUrl, Edge, Known, Label, Memory, Product, ProductType, Relatives, Rendering, Repository,
    Trees,
};
use crate::check::Wish;
use crate::error::{Error, Failure};
use crate::http::fuzzing as http;
use crate::json::{respell, to_json};
use crate::params::{self, Column, cast_text, take_permitted};
use crate::profiles::{MOST_PROFILES, SentProfiles};
use crate::store::{Criteria, Wanted};
use crate::update::{MOST_DAYS, Uptimes};
use crate::{installer, subscription_products, synchronize};

/// The name of a fuzzer and of the directory with its inputs, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// The kinds of input.
pub const TARGETS: &[Target] = &[
    ("body", http::body),
    ("query", http::query),
    ("headers", http::headers),
    ("accept", http::accept),
    ("operation", operation),
    ("rendering", rendering),
];

/// What Rails' JSON escapes, besides what any JSON does.
const UNSAFE_IN_HTML: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];

/// An operation, by the first byte, and the parameters that it is given: what it makes of them before it
/// needs the database.
fn operation(input: &[u8]) {
    let Some((selector, text)) = input.split_first() else {
        return;
    };
    let Ok(given) = params::parse(text) else {
        return;
    };
    assert_is_written_safely(&Value::Object(given.clone()));
    match selector % 6 {
        0 => announce(given),
        1 => update(given),
        2 => wish(&given),
        3 => synchronization(&given),
        4 => assert_can_be_asked(installer::criteria(&given).map(|criteria| {
            let name = installer::name(&given, &criteria);
            assert!(name.chars().all(|it| it == ' ' || !it.is_whitespace()));
            vec![criteria]
        })),
        _ => {
            let criteria = subscription_products::criteria(text);
            assert_can_be_asked(criteria.map(|it| vec![it]));
        }
    }
}

fn announce(mut given: Map<String, Value>) {
    let hostname = cast_text(given.get("hostname"), Column::String);
    if let (Some(Value::String(sent)), Ok(cast)) = (given.get("hostname"), &hostname) {
        assert_eq!(Some(sent), cast.as_ref());
    }
    profiles(&mut given);
    if let Some(hwinfo) = take_permitted(&mut given, "hwinfo") {
        assert_is_written_safely(&Value::Object(hwinfo));
    }
}

fn profiles(given: &mut Map<String, Value>) {
    let sent = take_permitted(given, "system_profiles");
    let count = sent.as_ref().map_or(0, Map::len);
    match SentProfiles::among(sent) {
        Ok(profiles) => {
            let kept = profiles.complete.len() + profiles.incomplete.len();
            assert!(kept <= MOST_PROFILES && kept <= count);
            assert_eq!(kept < count, profiles.invalid);
        }
        Err(failure) => assert_is_the_clients_fault(&failure),
    }
}

fn update(mut given: Map<String, Value>) {
    match Uptimes::among(given.get("online_at")) {
        Ok(uptimes) => assert!(uptimes.days.len() <= MOST_DAYS),
        Err(failure) => assert_is_the_clients_fault(&failure),
    }
    profiles(&mut given);
    // What is stored is whatever somebody has stored.
    let stored = given.get("hostname").and_then(Value::as_str);
    let stored = stored.map(str::to_owned);
    let hwinfo = take_permitted(&mut given, "hwinfo").unwrap_or_default();
    let Some(text) = merged(stored.as_deref(), hwinfo.clone()) else {
        return;
    };
    let mut news = Value::Object(hwinfo.clone());
    let read: Value = serde_json::from_str(&text).expect("what is written can be read");
    for (key, value) in hwinfo.iter() {
        assert_eq!(&read[key], value);
    }
    // The second time it is the text it was, when numbers are spelled as they are from then on.
    respell(&mut news);
    let again = merged(Some(&text), news.as_object().cloned().unwrap_or_default());
    let settled = again.unwrap_or(text);
    let third = merged(Some(&settled), Map::new());
    assert_eq!(third, None, "{settled}");
}

fn wish(given: &Map<String, Value>) {
    let wish = Wish::among(given).map(|wish| {
        assert!(wish.regcodes.unwrap_or_default().len() <= Criteria::MOST_VALUES);
        vec![wish.product]
    });
    assert_can_be_asked(wish);
}

fn synchronization(given: &Map<String, Value>) {
    let Some(products) = given.get("products") else {
        return;
    };
    assert_can_be_asked(synchronize::described(Some(products)));
}

/// A statement has no more than 65,535 values.
fn assert_can_be_asked(criteria: Result<Vec<Criteria>, Failure>) {
    let values = |wanted: &Wanted| match wanted {
        Wanted::OneOf(values) => values.len(),
        Wanted::Any | Wanted::Null => 0,
    };
    match criteria {
        Ok(criteria) => {
            let all = criteria.iter().flat_map(|it| {
                [&it.identifier, &it.version, &it.arch, &it.release_type].map(values)
            });
            assert!(all.sum::<usize>() < 60_000);
        }
        Err(failure) => assert_is_the_clients_fault(&failure),
    }
}

fn assert_is_the_clients_fault(failure: &Failure) {
    let known = matches!(
        failure.error,
        Error::Declined(_)
            | Error::BadInput(_)
            | Error::Invalid(_)
            | Error::Rmt { status: 422, .. }
    );
    assert!(known, "{failure}");
}

/// What is written of `value` is safe in HTML, and reads as the same.
pub(crate) fn assert_is_written_safely(value: &Value) {
    let written = to_json(value);
    assert!(!written.contains(UNSAFE_IN_HTML), "{written}");
    let read: Value = serde_json::from_str(&written).expect("what is written can be read");
    assert_eq!(&read, value);
}

/// Lines: base URLs of three clients, then the texts of a product and its repositories.
fn rendering(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let bases: Vec<BaseUrl> = (lines.by_ref().take(3))
        .filter_map(BaseUrl::parse)
        .collect();
    let mut next = || lines.next().map(str::to_owned);
    let mut product = Product {
        label: Label {
            id: 1,
            name: next(),
            identifier: next(),
            version: next(),
            release_type: next(),
            arch: next(),
            friendly_version: next(),
            product_type: ProductType::Base,
        },
        description: next(),
        former_identifier: None,
        product_class: next(),
        release_stage: None,
        eula_url: next(),
        free: Some(true),
        cpe: None,
        shortname: None,
        service_id: Some(1),
        repositories: Vec::new(),
    };
    while let (Some(name), Some(local_path)) = (next(), next()) {
        product.repositories.push(Repository {
            id: 1,
            scc_id: None,
            description: Some(name.clone()),
            name,
            enabled: true,
            autorefresh: false,
            external_url: local_path.clone(),
            local_path,
            installer_updates: false,
            mirroring_enabled: true,
            mirrored: true,
        });
    }
    renderings(Arc::new(product), bases);
}

fn renderings(product: Arc<Product>, bases: Vec<BaseUrl>) {
    let edges = [Edge {
        root: 1,
        parent: 1,
        child: 1,
        recommended: true,
    }];
    let trees = || Trees::new(HashMap::from([(1, Arc::clone(&product))]), &edges);
    let known = Known::new(
        Arc::clone(&product),
        trees(),
        Relatives::default(),
        Vec::new(),
    );
    let remembered = Memory::default().learn(Some(1), known);
    // The first one makes the template, the others fill it.
    for base_url in bases {
        let shown = base_url.to_string();
        let harmless = |it: char| it.is_ascii_alphanumeric() || ":/.-_[]".contains(it);
        assert!(shown.chars().all(harmless), "{shown}");
        let rendering = Rendering::new(base_url);
        let body = remembered.tree(&rendering);
        assert_eq!(Some(&body), rendering.product(&trees(), 1).as_ref());
        assert!(!body.contains(UNSAFE_IN_HTML), "{body}");
        let read: Value = serde_json::from_str(&body).expect("what is written can be read");
        assert_eq!(read["name"].as_str(), product.label.name.as_deref());
        assert_eq!(read["description"].as_str(), product.description.as_deref());
        for (shown, stored) in
            (read["repositories"].as_array().into_iter().flatten()).zip(&product.repositories)
        {
            assert_eq!(shown["name"].as_str(), Some(stored.name.as_str()));
            let url = shown["url"].as_str().unwrap_or_default();
            // As with RMT, a stored path may lead out of there, but not to another host.
            let below = match stored.local_path.contains("..") {
                true => "/",
                false => "/repo/",
            };
            let begin = format!("{}{below}", rendering.base_url);
            assert!(url.starts_with(&begin), "{url}");
            assert!(url.bytes().all(|it| it.is_ascii_graphic()), "{url}");
        }
        index(&remembered.repoindex(&rendering), &rendering, &product);
    }
}

fn index(xml: &str, rendering: &Rendering, product: &Product) {
    assert_eq!(
        xml,
        rendering.repoindex(&product.label, &product.repositories)
    );
    let count = product.repositories.len();
    assert_eq!(xml.matches('<').count(), count + 2, "{xml}");
    assert_eq!(xml.matches('>').count(), count + 2, "{xml}");
    assert_eq!(xml.matches('"').count(), 10 * count + 2, "{xml}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_fuzzers_have_found_holds() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for (name, target) in TARGETS {
            let inputs = fs::read_dir(corpora.join(name)).unwrap();
            let mut replayed = 0;
            for input in inputs {
                target(&fs::read(input.unwrap().path()).unwrap());
                replayed += 1;
            }
            assert!(replayed > 0, "{name}");
            println!("{name}: {replayed} inputs");
        }
    }

    /// As `Basic`, `Accept` or a body of this length would be if something in them were squared: hours.
    #[test]
    fn nothing_takes_more_than_its_length() {
        const LENGTH: usize = 1 << 15;
        for piece in [
            "\"", "\\", "{\"a\":", "[", "[],", "1", "&", "&=", "a=b&", "%41", ",", ";", " ", "<",
            "\r\n", "=", "-0.", ".0", "\u{2028}", "\\u0024", ":",
        ] {
            let input = piece.repeat(LENGTH / piece.len());
            for (_, target) in TARGETS {
                target(input.as_bytes());
            }
            let object = format!("{{\"hostname\":\"{}\"}}", input.replace(['"', '\\'], "'"));
            let list = format!("{{\"identifier\":[{}1]}}", "\"\",".repeat(LENGTH / 4));
            for text in [&object, &list] {
                http::body(text.as_bytes());
                for selector in 0..6 {
                    operation(&[&[selector], text.as_bytes()].concat());
                }
            }
        }
    }
}
