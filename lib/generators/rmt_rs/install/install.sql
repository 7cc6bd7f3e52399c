-- How the core learns that the catalog has changed: triggers count every change of its tables, and each request
-- reads the sum. What is deleted by a foreign key fires no trigger; all that such keys lead from are among the tables.
-- Each connection adds to one of 16 rows, so that two that write the catalog seldom wait for each other.
--
-- Complete or not at all: without all of the rows nobody relies on the triggers, and they come last. A sum never
-- comes again, whatever was removed and installed in between: rows start with the microseconds since 1970.
CREATE TABLE IF NOT EXISTS rmt_rs_catalog_versions (
  id tinyint unsigned NOT NULL PRIMARY KEY,
  version bigint unsigned NOT NULL
) ENGINE=InnoDB;
DELETE FROM rmt_rs_catalog_versions;
DROP TRIGGER IF EXISTS rmt_rs_products_insert;
CREATE TRIGGER rmt_rs_products_insert AFTER INSERT ON products FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_products_update;
CREATE TRIGGER rmt_rs_products_update AFTER UPDATE ON products FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_products_delete;
CREATE TRIGGER rmt_rs_products_delete AFTER DELETE ON products FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_products_extensions_insert;
CREATE TRIGGER rmt_rs_products_extensions_insert AFTER INSERT ON products_extensions FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_products_extensions_update;
CREATE TRIGGER rmt_rs_products_extensions_update AFTER UPDATE ON products_extensions FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_products_extensions_delete;
CREATE TRIGGER rmt_rs_products_extensions_delete AFTER DELETE ON products_extensions FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_product_predecessors_insert;
CREATE TRIGGER rmt_rs_product_predecessors_insert AFTER INSERT ON product_predecessors FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_product_predecessors_update;
CREATE TRIGGER rmt_rs_product_predecessors_update AFTER UPDATE ON product_predecessors FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_product_predecessors_delete;
CREATE TRIGGER rmt_rs_product_predecessors_delete AFTER DELETE ON product_predecessors FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_services_insert;
CREATE TRIGGER rmt_rs_services_insert AFTER INSERT ON services FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_services_update;
CREATE TRIGGER rmt_rs_services_update AFTER UPDATE ON services FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_services_delete;
CREATE TRIGGER rmt_rs_services_delete AFTER DELETE ON services FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_repositories_insert;
CREATE TRIGGER rmt_rs_repositories_insert AFTER INSERT ON repositories FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_repositories_update;
CREATE TRIGGER rmt_rs_repositories_update AFTER UPDATE ON repositories FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_repositories_delete;
CREATE TRIGGER rmt_rs_repositories_delete AFTER DELETE ON repositories FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_repositories_services_insert;
CREATE TRIGGER rmt_rs_repositories_services_insert AFTER INSERT ON repositories_services FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_repositories_services_update;
CREATE TRIGGER rmt_rs_repositories_services_update AFTER UPDATE ON repositories_services FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
DROP TRIGGER IF EXISTS rmt_rs_repositories_services_delete;
CREATE TRIGGER rmt_rs_repositories_services_delete AFTER DELETE ON repositories_services FOR EACH ROW
  UPDATE rmt_rs_catalog_versions SET version = version + 1 WHERE id = CONNECTION_ID() % 16;
INSERT INTO rmt_rs_catalog_versions (id, version)
  SELECT id, FLOOR(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000) FROM (
    SELECT 0 AS id UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7
    UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10 UNION ALL SELECT 11 UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15
  ) AS all_of_them;
