//! A product tree of the size of SLES.

/// Statements that leave a base product with 21 modules in a tree, 5 repositories each, as the whole
/// catalog.
pub fn large_tree() -> String {
    let mut statements = String::from(
        "SET FOREIGN_KEY_CHECKS = 0; DELETE FROM repositories_services; DELETE FROM repositories; \
         DELETE FROM products_extensions; DELETE FROM product_predecessors; DELETE FROM services; \
         DELETE FROM products; SET FOREIGN_KEY_CHECKS = 1",
    );
    for id in 1..=22 {
        let kind = if id == 1 { "base" } else { "module" };
        statements.push_str(&format!(
            "; INSERT INTO products (id, name, identifier, version, arch, product_type, product_class) \
             VALUES ({id}, 'P{id}', 'p{id}', '15.6', 'x86_64', '{kind}', '7261'); \
             INSERT INTO services VALUES ({id}, {id}, NOW(), NOW())"
        ));
        if id > 1 {
            let parent = id / 2;
            statements.push_str(&format!(
                "; INSERT INTO products_extensions (product_id, extension_id, root_product_id) \
                 VALUES ({parent}, {id}, 1)"
            ));
        }
        for number in 1..=5 {
            let repository = id * 10 + number;
            statements.push_str(&format!(
                "; INSERT INTO repositories (id, scc_id, name, external_url, local_path, enabled, \
                 mirroring_enabled, last_mirrored_at) VALUES ({repository}, {repository}, 'R', \
                 'http://x/{repository}', '/{repository}', 1, 1, NOW()); \
                 INSERT INTO repositories_services (repository_id, service_id) VALUES ({repository}, {id})"
            ));
        }
    }
    statements
}
