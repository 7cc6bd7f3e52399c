//! Encrypted connections: what is checked, and that it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail that way"
)]

mod common;

use std::fs::write;
use std::path::{Path, PathBuf};

use common::config;
use common::server::Server;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use registration::store::{Tls, TlsMode};
use registration::{Error, Failure, Progress, Registration};
use sqlx::{AssertSqlSafe, Executor};

/// A certificate authority, written to `NAME.pem`.
fn authority(directory: &Path, name: &str) -> (PathBuf, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let path = directory.join(format!("{name}.pem"));
    write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    (path, Issuer::new(params, key))
}

/// A certificate for `host` and its key, written to `NAME.pem` and `NAME.key`.
fn certificate(
    directory: &Path,
    name: &str,
    host: &str,
    issuer: &Issuer<KeyPair>,
) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let (certificate, secret) = (
        directory.join(format!("{name}.pem")),
        directory.join(format!("{name}.key")),
    );
    write(&certificate, params.signed_by(&key, issuer).unwrap().pem()).unwrap();
    write(&secret, key.serialize_pem()).unwrap();
    (certificate, secret)
}

async fn announce(server: &Server, database: &str, user: &str, tls: Tls) -> Result<(), Failure> {
    let mut config = config(server, database);
    config.username = user.to_owned();
    config.tls = tls;
    let registration = Registration::new(&config).unwrap();
    registration
        .announce(b"{}", &Progress::default())
        .await
        .map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_is_asked_for_and_checked() {
    let mut files = None;
    let server = Server::start_with("tls", |directory| {
        let (trusted, issuer) = authority(directory, "trusted");
        let (other, _) = authority(directory, "other");
        let (certificate_file, key) = certificate(directory, "server", "127.0.0.1", &issuer);
        let client = certificate(directory, "client", "client", &issuer);
        let options = vec![
            format!("--ssl-ca={}", trusted.display()),
            format!("--ssl-cert={}", certificate_file.display()),
            format!("--ssl-key={}", key.display()),
        ];
        files = Some((trusted, other, client));
        options
    })
    .await;
    let (trusted, other, client) = files.unwrap();
    let database = server.database("tls").await;
    let mut root = server.root("mysql").await;
    for (user, need) in [("encrypted", "SSL"), ("certified", "X509")] {
        let create = format!("CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'rmt' REQUIRE {need}");
        root.execute(AssertSqlSafe(create)).await.unwrap();
        let grant = format!("GRANT ALL ON {database}.* TO {user}@'127.0.0.1'");
        root.execute(AssertSqlSafe(grant)).await.unwrap();
    }
    let tls = |mode, ca: Option<&PathBuf>| Tls {
        mode,
        ca: ca.cloned(),
        cert: None,
        key: None,
    };

    for accepted in [
        tls(TlsMode::Preferred, None),
        tls(TlsMode::Required, None),
        tls(TlsMode::VerifyCa, Some(&trusted)),
        tls(TlsMode::VerifyIdentity, Some(&trusted)),
    ] {
        announce(&server, &database, "encrypted", accepted)
            .await
            .unwrap();
    }
    for refused in [
        tls(TlsMode::Disabled, None),
        tls(TlsMode::VerifyCa, Some(&other)),
        tls(TlsMode::VerifyIdentity, Some(&other)),
        tls(TlsMode::VerifyCa, None),
    ] {
        let failure = announce(&server, &database, "encrypted", refused)
            .await
            .unwrap_err();
        assert!(matches!(failure.error, Error::Refused(_)), "{failure}");
    }

    // A certificate for another name than the one that was connected to.
    let mut config = config(&server, &database);
    config.host = "localhost".to_owned();
    config.tls = tls(TlsMode::VerifyIdentity, Some(&trusted));
    let elsewhere = Registration::new(&config).unwrap();
    let failure = elsewhere
        .announce(b"{}", &Progress::default())
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Refused(_)), "{failure}");

    // A client that has to show a certificate of its own.
    let mut with_certificate = tls(TlsMode::VerifyCa, Some(&trusted));
    let failure = announce(&server, &database, "certified", with_certificate.clone())
        .await
        .unwrap_err();
    assert!(matches!(failure.error, Error::Refused(_)), "{failure}");
    (with_certificate.cert, with_certificate.key) = (Some(client.0), Some(client.1));
    announce(&server, &database, "certified", with_certificate)
        .await
        .unwrap();
}
