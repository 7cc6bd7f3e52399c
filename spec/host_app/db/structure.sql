-- The tables of RMT that a registration reads or writes, as RMT's migrations leave them
-- (RMT's db/schema.rb lags behind its migrations and is no reference).
-- Names of keys and constraints are RMT's too: they appear in error messages, and code that
-- tells one violated constraint from another looks at them.
-- One statement per semicolon and no semicolon anywhere else, parents before their children.

CREATE TABLE IF NOT EXISTS systems (
  id bigint NOT NULL AUTO_INCREMENT,
  login varchar(255) DEFAULT NULL,
  password varchar(255) DEFAULT NULL,
  hostname varchar(255) DEFAULT NULL,
  registered_at datetime DEFAULT NULL,
  last_seen_at datetime DEFAULT NULL,
  created_at datetime NOT NULL,
  updated_at datetime NOT NULL,
  scc_registered_at datetime DEFAULT NULL,
  scc_system_id bigint DEFAULT NULL,
  system_token varchar(255) DEFAULT NULL,
  system_information longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(system_information)),
  instance_data text DEFAULT NULL,
  proxy_byos_mode int DEFAULT 0,
  pubcloud_reg_code varchar(255) DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_systems_on_login_and_password_and_system_token (login, password, system_token),
  KEY index_systems_on_login_and_password (login, password),
  KEY index_systems_on_system_token (system_token),
  KEY index_systems_on_hostname (hostname)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS profiles (
  id bigint NOT NULL AUTO_INCREMENT,
  profile_type varchar(255) NOT NULL,
  identifier varchar(255) NOT NULL,
  data longtext NOT NULL,
  last_synced_at timestamp NULL DEFAULT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_profiles_on_profile_type_and_identifier (profile_type, identifier)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS system_profiles (
  id bigint NOT NULL AUTO_INCREMENT,
  system_id bigint NOT NULL,
  profile_id bigint NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_system_profiles_on_system_id_and_profile_id (system_id, profile_id),
  KEY index_system_profiles_on_system_id (system_id),
  KEY index_system_profiles_on_profile_id (profile_id),
  CONSTRAINT fk_rails_4fc1eb8ffe FOREIGN KEY (system_id) REFERENCES systems (id),
  CONSTRAINT fk_rails_d9ba988235 FOREIGN KEY (profile_id) REFERENCES profiles (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS system_uptimes (
  id bigint NOT NULL AUTO_INCREMENT,
  system_id bigint NOT NULL,
  online_at_day date NOT NULL,
  online_at_hours binary(24) NOT NULL,
  created_at datetime(6) NOT NULL,
  updated_at datetime(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY id_online_day (system_id, online_at_day),
  CONSTRAINT fk_rails_472cc756cd FOREIGN KEY (system_id) REFERENCES systems (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS deregistered_systems (
  id bigint NOT NULL AUTO_INCREMENT,
  scc_system_id bigint NOT NULL,
  created_at datetime NOT NULL,
  updated_at datetime NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_deregistered_systems_on_scc_system_id (scc_system_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS products (
  id bigint NOT NULL AUTO_INCREMENT,
  name varchar(255) DEFAULT NULL,
  description text DEFAULT NULL,
  shortname varchar(255) DEFAULT NULL,
  former_identifier varchar(255) DEFAULT NULL,
  product_type varchar(255) DEFAULT NULL,
  product_class varchar(255) DEFAULT NULL,
  release_type varchar(255) DEFAULT NULL,
  release_stage varchar(255) DEFAULT NULL,
  identifier varchar(255) DEFAULT NULL,
  version varchar(255) DEFAULT NULL,
  arch varchar(255) DEFAULT NULL,
  eula_url varchar(255) DEFAULT NULL,
  free tinyint(1) DEFAULT NULL,
  cpe varchar(255) DEFAULT NULL,
  friendly_version varchar(255) DEFAULT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS products_extensions (
  id bigint NOT NULL AUTO_INCREMENT,
  product_id bigint NOT NULL,
  extension_id bigint NOT NULL,
  recommended tinyint(1) DEFAULT NULL,
  root_product_id bigint NOT NULL,
  migration_extra tinyint(1) DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY index_products_extensions_on_product_extension_root (product_id, extension_id, root_product_id),
  KEY index_products_extensions_on_extension_id (extension_id),
  KEY index_products_extensions_on_product_id (product_id),
  KEY fk_rails_7d0e68d364 (root_product_id),
  CONSTRAINT fk_rails_1c1adb4078 FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
  CONSTRAINT fk_rails_7d0e68d364 FOREIGN KEY (root_product_id) REFERENCES products (id),
  CONSTRAINT fk_rails_d228a5d6c6 FOREIGN KEY (extension_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS product_predecessors (
  id bigint NOT NULL AUTO_INCREMENT,
  product_id bigint NOT NULL,
  predecessor_id bigint DEFAULT NULL,
  kind int NOT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY index_product_predecessors_on_product_id_and_predecessor_id (product_id, predecessor_id),
  KEY fk_rails_ae2fd616af (predecessor_id),
  KEY index_product_predecessors_on_product_id (product_id),
  CONSTRAINT fk_rails_ae2fd616af FOREIGN KEY (predecessor_id) REFERENCES products (id),
  CONSTRAINT fk_rails_e8797ef6f4 FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS services (
  id bigint NOT NULL AUTO_INCREMENT,
  product_id bigint NOT NULL,
  created_at datetime NOT NULL,
  updated_at datetime NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_services_on_product_id (product_id),
  CONSTRAINT fk_rails_acabe7613b FOREIGN KEY (product_id) REFERENCES products (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS repositories (
  id bigint NOT NULL AUTO_INCREMENT,
  scc_id bigint unsigned DEFAULT NULL,
  name varchar(255) NOT NULL,
  description varchar(255) DEFAULT NULL,
  enabled tinyint(1) NOT NULL DEFAULT 0,
  autorefresh tinyint(1) NOT NULL DEFAULT 1,
  external_url varchar(255) NOT NULL,
  auth_token varchar(255) DEFAULT NULL,
  installer_updates tinyint(1) NOT NULL DEFAULT 0,
  mirroring_enabled tinyint(1) NOT NULL DEFAULT 0,
  local_path varchar(512) NOT NULL,
  last_mirrored_at datetime DEFAULT NULL,
  friendly_id varchar(255) DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_repositories_on_external_url (external_url),
  UNIQUE KEY index_repositories_on_scc_id (scc_id),
  UNIQUE KEY index_repositories_on_friendly_id (friendly_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS repositories_services (
  id bigint NOT NULL AUTO_INCREMENT,
  repository_id bigint NOT NULL,
  service_id bigint NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_repositories_services_on_service_id_and_repository_id (service_id, repository_id),
  KEY index_repositories_services_on_repository_id (repository_id),
  KEY index_repositories_services_on_service_id (service_id),
  CONSTRAINT fk_rails_24cbb571b8 FOREIGN KEY (repository_id) REFERENCES repositories (id) ON DELETE CASCADE,
  CONSTRAINT fk_rails_f1fc5c1e40 FOREIGN KEY (service_id) REFERENCES services (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS subscriptions (
  id bigint NOT NULL AUTO_INCREMENT,
  regcode varchar(255) NOT NULL,
  name varchar(255) NOT NULL,
  kind varchar(255) NOT NULL,
  status varchar(255) NOT NULL,
  starts_at datetime DEFAULT NULL,
  expires_at datetime DEFAULT NULL,
  system_limit int NOT NULL,
  systems_count int NOT NULL,
  virtual_count int DEFAULT NULL,
  created_at datetime NOT NULL,
  updated_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY index_subscriptions_on_regcode (regcode)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS subscription_product_classes (
  id bigint NOT NULL AUTO_INCREMENT,
  subscription_id bigint NOT NULL,
  product_class varchar(255) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_product_class_unique (subscription_id, product_class),
  KEY index_subscription_product_classes_on_subscription_id (subscription_id),
  CONSTRAINT fk_rails_1aae0e3ad2 FOREIGN KEY (subscription_id) REFERENCES subscriptions (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;

CREATE TABLE IF NOT EXISTS activations (
  id bigint NOT NULL AUTO_INCREMENT,
  service_id bigint NOT NULL,
  system_id bigint NOT NULL,
  created_at datetime NOT NULL,
  updated_at datetime NOT NULL,
  subscription_id bigint DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY index_activations_on_system_id_and_service_id (system_id, service_id),
  KEY fk_rails_5ad14bc754 (service_id),
  KEY index_activations_on_system_id (system_id),
  KEY fk_rails_296466bd8d (subscription_id),
  CONSTRAINT fk_rails_296466bd8d FOREIGN KEY (subscription_id) REFERENCES subscriptions (id),
  CONSTRAINT fk_rails_5ad14bc754 FOREIGN KEY (service_id) REFERENCES services (id) ON DELETE CASCADE,
  CONSTRAINT fk_rails_e1f7b1621d FOREIGN KEY (system_id) REFERENCES systems (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci;
