//! A MariaDB of the tests' own, with RMT's tables.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection, Row};

/// A running server; ended when dropped.
pub struct Server {
    pub port: u16,
    directory: PathBuf,
    options: Vec<String>,
    process: Mutex<Child>,
}

impl Server {
    /// Starts a new, empty server in a directory of its own.
    pub async fn start(name: &str) -> Self {
        Self::start_with(name, |_| Vec::new()).await
    }

    /// As [`Server::start`], with further options, made when its directory is there.
    pub async fn start_with(name: &str, options: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = std::env::temp_dir().join(format!("rmt_rs-{name}-{}", std::process::id()));
        assert!(
            (0..INSTALLATIONS).any(|_| install(&directory)),
            "mariadb-install-db failed in {}",
            directory.display()
        );

        let port = free_port();
        let options = options(&directory);
        let server = Self {
            port,
            process: Mutex::new(spawn(&directory, port, &options)),
            options,
            directory,
        };
        server.wait().await;
        let mut root = server.root("mysql").await;
        root.execute("CREATE USER rmt@'127.0.0.1' IDENTIFIED BY 'rmt'")
            .await
            .unwrap();
        root.execute("GRANT ALL ON `rmt\\_%`.* TO rmt@'127.0.0.1'")
            .await
            .unwrap();
        server
    }

    /// A database with RMT's tables, named `rmt_…`.
    pub async fn database(&self, name: &str) -> String {
        let name = format!("rmt_{name}");
        let mut root = self.root("mysql").await;
        let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb3");
        root.execute(AssertSqlSafe(create)).await.unwrap();
        let tables =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/host_app/db/structure.sql");
        let mut connection = self.root(&name).await;
        let tables = std::fs::read_to_string(tables).unwrap();
        sqlx::raw_sql(AssertSqlSafe(tables))
            .execute(&mut connection)
            .await
            .unwrap();
        name
    }

    /// Installs the triggers that count changes of the catalog in `database`.
    pub async fn install_triggers(&self, database: &str) {
        self.run_generators(database, "install.sql").await;
    }

    /// Removes them.
    pub async fn remove_triggers(&self, database: &str) {
        self.run_generators(database, "remove.sql").await;
    }

    async fn run_generators(&self, database: &str, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../lib/generators/rmt_rs/install")
            .join(file);
        let statements = std::fs::read_to_string(path).unwrap();
        let mut root = self.root(database).await;
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut root)
            .await
            .unwrap();
    }

    /// A connection that may do everything.
    pub async fn root(&self, database: &str) -> MySqlConnection {
        self.root_options(database).connect().await.unwrap()
    }

    /// Returns when one transaction waits for a lock, with a statement that begins like this.
    pub async fn until_somebody_waits(&self, statement: &str) {
        let waiting = format!(
            "SELECT COUNT(*) FROM information_schema.INNODB_TRX \
             WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '{statement}%'"
        );
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.read("mysql", &waiting).await != "1" {
            assert!(Instant::now() < deadline, "nobody waits with {statement}");
            // The server looks anew only when it was not asked for a tenth of a second.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// All of a query's values, as text, a row a line.
    pub async fn read(&self, database: &str, query: &str) -> String {
        let rows = self.rows(database, query).await;
        let line = |row: Vec<Option<String>>| {
            let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
            row.into_iter().map(text).collect::<Vec<_>>().join(" ")
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// All of a query's values, as text.
    pub async fn rows(&self, database: &str, query: &str) -> Vec<Vec<Option<String>>> {
        let mut root = self.root(database).await;
        let rows = sqlx::raw_sql(AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut root)
            .await
            .unwrap();
        let values = |row: &sqlx::mysql::MySqlRow| {
            let text = |at| {
                let value: Option<Vec<u8>> = row.try_get_unchecked(at).unwrap();
                value.map(|bytes| String::from_utf8(bytes).unwrap())
            };
            (0..row.len()).map(text).collect()
        };
        rows.iter().map(values).collect()
    }

    /// What was done so far: selects, inserts, updates, deletes, begun transactions, explicit commits,
    /// commits of the storage engine that wrote.
    pub async fn counters(&self) -> Vec<u64> {
        let mut parts: Vec<String> = ["SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT"]
            .iter()
            .map(|name| {
                format!("(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'COM_{name}')")
            })
            .collect();
        parts.push(
            "(SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rw_commits')"
                .to_owned(),
        );
        let enable = "SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'";
        let mut root = self.root("mysql").await;
        sqlx::raw_sql(enable).execute(&mut root).await.unwrap();
        self.read("mysql", &format!("SELECT {}", parts.join(", ")))
            .await
            .split(' ')
            .map(|count| count.parse().unwrap())
            .collect()
    }

    /// SELECTs so far, this one's own included.
    pub async fn selects(&self) -> u64 {
        let count = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                     WHERE VARIABLE_NAME = 'COM_SELECT'";
        self.read("mysql", count).await.parse().unwrap()
    }

    /// What was done since, without the counting itself.
    pub async fn since(&self, before: &[u64]) -> Vec<u64> {
        let mut counts: Vec<_> = (self.counters().await.iter())
            .zip(before)
            .map(|(after, before)| after - before)
            .collect();
        counts[0] -= 1;
        counts
    }

    /// Ends the server as a power cut would and starts it again.
    pub async fn crash(&self) {
        {
            let mut process = self.process.lock().unwrap();
            process.kill().unwrap();
            process.wait().unwrap();
            *process = spawn(&self.directory, self.port, &self.options);
        }
        self.wait().await;
    }

    fn root_options(&self, database: &str) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .socket(self.directory.join("s"))
            .username("root")
            .database(database)
    }

    async fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.root_options("mysql").connect().await.is_err() {
            assert!(
                Instant::now() < deadline,
                "no server in {}",
                self.directory.display()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        let _ = process.kill();
        let _ = process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// As often it is tried: once in some hundred times MariaDB 10.11 crashes while it makes its tables.
const INSTALLATIONS: usize = 3;

fn install(directory: &Path) -> bool {
    let _ = std::fs::remove_dir_all(directory);
    std::fs::create_dir_all(directory).unwrap();
    mariadb("mariadb-install-db", directory)
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("mariadb-install-db is not there: install MariaDB's server (bin/setup does)")
        .success()
}

fn spawn(directory: &Path, port: u16, options: &[String]) -> Child {
    mariadb("mariadbd", directory)
        .arg(format!("--port={port}"))
        .arg(format!("--socket={}", directory.join("s").display()))
        .args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=32M",
        ])
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mariadbd is not there: install MariaDB's server (bin/setup does)")
}

/// A program of MariaDB's on this data directory, untouched by the machine's configuration.
fn mariadb(program: &str, directory: &Path) -> Command {
    // Debian keeps the server where only root's PATH looks.
    let place = Path::new("/usr/sbin").join(program);
    let mut command = if place.exists() {
        Command::new(place)
    } else {
        Command::new(program)
    };
    command.arg("--no-defaults");
    command.arg(format!("--datadir={}", directory.join("data").display()));
    if is_root() {
        command.arg("--user=root");
    }
    command
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
