//! What becomes of declared and live resources, case by case.

use crate::support::{AWS, Circumstances, KEY, assert_lines, declared, live, live_in, map, report, report_under};
use drift::compare::{Kind, RiskLevel, Unreadable};
use drift::declared::Status;
use drift::rules::{CustomRule, OrgRules, RuleConfig, Severity, Suppression, fingerprint};
use serde_json::{Value, json};

fn queue(name: &str) -> Value {
    json!({"id": format!("https://sqs.eu-west-1.amazonaws.com/123456789012/{name}"), "arn": format!("arn:aws:sqs:eu-west-1:123456789012:{name}"), "name": name,
        "delay_seconds": 0})
}

#[test]
fn nothing_against_nothing_is_covered() {
    let report = report(vec![], vec![]);
    assert_eq!((report.coverage_pct, report.risk_level, report.items.len()), (100.0, RiskLevel::None, 0));
}

#[test]
fn coverage_is_of_all_live_with_one_decimal() {
    let lives = ["a", "b", "c"].map(|n| live("aws_sqs_queue", &format!("https://x/123456789012/{n}"), &queue(n)));
    let declared = vec![
        declared("aws_sqs_queue.a", &queue("a")),
        declared("aws_sqs_queue.b", &queue("b")),
        declared("aws_sqs_queue.gone", &queue("gone")),
    ];
    let report = report(declared, lives.to_vec());
    assert_eq!((report.counts.total_live, report.counts.matched_count, report.coverage_pct), (3, 2, 66.7));
    assert_lines(&report, &["missing aws_sqs_queue.gone", "extra aws_sqs_queue https://x/123456789012/c"]);
}

#[test]
fn of_one_name_in_two_regions_each_is_its_own() {
    let group = |region: &str| json!({"id": "/app", "name": "/app", "arn": format!("arn:aws:logs:{region}:123456789012:log-group:/app"), "retention_in_days": 7});
    let shown = |region: &str, days: u8| {
        live_in(region, "aws_cloudwatch_log_group", "/app", &json!({"name": "/app", "retention_in_days": days}))
    };
    let report = report(
        vec![
            declared("aws_cloudwatch_log_group.eu", &group("eu-west-1")),
            declared("aws_cloudwatch_log_group.us", &group("us-east-1")),
        ],
        vec![shown("us-east-1", 7), shown("eu-west-1", 1), shown("eu-central-1", 7)],
    );
    assert_lines(
        &report,
        &["changed aws_cloudwatch_log_group.eu retention_in_days", "extra aws_cloudwatch_log_group /app"],
    );
}

#[test]
fn a_region_is_learned_from_the_providers_other_resources() {
    let of = |address: &str, attributes: &Value, alias: &str| {
        let mut d = declared(address, attributes);
        d.provider = format!("{AWS}{alias}");
        d
    };
    let nameless = json!({"id": "/n", "name": "/n"});
    let there = |region: &str, id: &str| live_in(region, "aws_ssm_parameter", id, &json!({"name": id}));
    let report = report(
        vec![
            of("aws_sqs_queue.q", &queue("q"), ".eu"),
            of("aws_ssm_parameter.learned", &nameless, ".eu"),
            of("aws_ssm_parameter.spelled", &json!({"id": "/s"}), ".ap_south_1"),
            of("aws_ssm_parameter.unknown", &json!({"id": "/u"}), ".other"),
        ],
        vec![
            live("aws_sqs_queue", "https://x/123456789012/q", &queue("q")),
            there("us-east-1", "/n"),
            there("eu-west-1", "/n"),
            there("us-east-1", "/s"),
            there("ap-south-1", "/s"),
            there("sa-east-1", "/u"),
        ],
    );
    assert_lines(&report, &["extra aws_ssm_parameter /n", "extra aws_ssm_parameter /s"]);
    assert!(report.items.iter().all(|i| i.region.as_deref() == Some("us-east-1")));
}

#[test]
fn what_nothing_reads_is_unchecked_and_what_was_not_read_is_unknown() {
    let circumstances = Circumstances {
        readable: Some(vec!["aws_sqs_queue", "aws_vpc", "aws_vpc_security_group_ingress_rule"]),
        unreadable: vec![Unreadable {
            provider_types: vec!["aws_sqs_queue".into()],
            region: Some("eu-west-1".into()),
            reason: "sqs: AccessDenied".into(),
        }],
        ..Circumstances::default()
    };
    let elsewhere = json!({"id": "https://sqs.us-east-1.amazonaws.com/123456789012/q", "arn": "arn:aws:sqs:us-east-1:123456789012:q"});
    let foreign = json!({"id": "vpc-2", "arn": "arn:aws:ec2:eu-west-1:999999999999:vpc/vpc-2"});
    let report = report_under(
        &circumstances,
        vec![
            declared("aws_sqs_queue.denied", &queue("q")),
            declared("aws_sqs_queue.read", &elsewhere),
            declared("random_id.r", &json!({"id": "x"})),
            declared("aws_default_vpc.v", &json!({"id": "vpc-1"})),
            declared("aws_vpc.foreign", &foreign),
            declared(
                "aws_security_group_rule.r",
                &json!({"type": "ingress", "security_group_id": "sg-1", "protocol": "tcp", "cidr_blocks": ["a"]}),
            ),
        ],
        vec![],
    );
    assert_lines(
        &report,
        &["missing aws_sqs_queue.read", "missing aws_default_vpc.v", "missing aws_security_group_rule.r"],
    );
    assert_eq!((report.counts.unchecked_count, report.unchecked_types["random_id"]), (1, 1));
    assert_eq!(
        report.unknown_reasons.keys().collect::<Vec<_>>(),
        ["it belongs to account 999999999999", "sqs: AccessDenied"]
    );
}

#[test]
fn a_type_of_which_something_is_live_is_readable() {
    let circumstances = Circumstances { readable: Some(vec![]), ..Circumstances::default() };
    let report = report_under(
        &circumstances,
        vec![declared("aws_sqs_queue.gone", &queue("gone"))],
        vec![live("aws_sqs_queue", "https://x/123456789012/q", &queue("q"))],
    );
    assert_eq!((report.counts.missing_count, report.counts.unchecked_count), (1, 0));
}

#[test]
fn a_scan_of_some_regions_says_nothing_about_the_others() {
    let circumstances = Circumstances { regions: Some(vec!["us-east-1"]), ..Circumstances::default() };
    let report = report_under(
        &circumstances,
        vec![declared("aws_sqs_queue.eu", &queue("q")), declared("aws_iam_role.r", &json!({"id": "r", "name": "r"}))],
        vec![],
    );
    assert_lines(&report, &["missing aws_iam_role.r"]);
    assert_eq!(report.unknown_reasons["region eu-west-1 was not scanned"], 1);
}

#[test]
fn deposed_objects_are_neither_missing_nor_changed_nor_extra() {
    let mut there = declared("aws_vpc.v (deposed object 1)", &json!({"id": "vpc-1", "cidr_block": "a"}));
    there.status = Status::Deposed("1".into());
    let mut gone = declared("aws_vpc.v (deposed object 2)", &json!({"id": "vpc-2"}));
    gone.status = Status::Deposed("2".into());
    let mut tainted = declared("aws_vpc.t", &json!({"id": "vpc-3", "cidr_block": "a"}));
    tainted.status = Status::Tainted;
    let lives = vec![
        live("aws_vpc", "vpc-1", &json!({"cidr_block": "b"})),
        live("aws_vpc", "vpc-3", &json!({"cidr_block": "b"})),
    ];
    let report = report(vec![there, gone, tainted], lives);
    assert_lines(&report, &["changed aws_vpc.t cidr_block"]);
    assert_eq!((report.counts.total_iac, report.counts.total_live), (1, 1));
}

#[test]
fn account_defaults_are_not_extra_yet_may_be_declared() {
    let mut default = live("aws_vpc", "vpc-1", &json!({"enable_dns_hostnames": true}));
    default.managed_by = Some("default VPC".into());
    let other = live("aws_vpc", "vpc-2", &json!({"default": true}));
    let report = report(
        vec![declared("aws_default_vpc.d", &json!({"id": "vpc-1", "enable_dns_hostnames": false}))],
        vec![default, other],
    );
    assert_lines(&report, &["changed aws_default_vpc.d enable_dns_hostnames"]);
    assert_eq!(report.filtered.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["account-default"]);
}

#[test]
fn one_live_resource_told_twice_is_one() {
    let twice = live("aws_sqs_queue", "https://x/123456789012/q", &queue("q"));
    let extra = live("aws_sqs_queue", "https://x/123456789012/e", &queue("e"));
    let report =
        report(vec![declared("aws_sqs_queue.q", &queue("q"))], vec![twice.clone(), extra.clone(), twice, extra]);
    assert_eq!((report.counts.total_live, report.counts.extra_count, report.coverage_pct), (2, 1, 50.0));
}

#[test]
fn two_states_may_declare_the_same() {
    let report = report(
        vec![declared("aws_sqs_queue.a", &queue("q")), declared("aws_sqs_queue.b", &queue("q"))],
        vec![live("aws_sqs_queue", "https://x/123456789012/q", &queue("q"))],
    );
    assert_eq!(
        (report.counts.total_iac, report.counts.matched_count, report.counts.total_live, report.coverage_pct),
        (2, 2, 1, 100.0)
    );
}

#[test]
fn a_database_made_anew_under_its_name_is_another() {
    let before = json!({"id": "db-A", "identifier": "main", "resource_id": "db-A", "arn": "arn:aws:rds:eu-west-1:123456789012:db:main"});
    let report = report(
        vec![declared("aws_db_instance.main", &before)],
        vec![live("aws_db_instance", "main", &json!({"identifier": "main", "resource_id": "db-B"}))],
    );
    assert_lines(&report, &["missing aws_db_instance.main", "extra aws_db_instance main"]);
}

fn paths(provider_type: &str, declared_attributes: &Value, live_properties: &Value) -> Vec<String> {
    let mut attributes = declared_attributes.clone();
    attributes["id"] = "x-1".into();
    let report = report(
        vec![declared(&format!("{provider_type}.r"), &attributes)],
        vec![live(provider_type, "x-1", live_properties)],
    );
    report.items.into_iter().flat_map(|i| i.changes).map(|c| c.path).collect()
}

#[test]
fn only_what_the_live_side_tells_is_compared() {
    assert!(
        paths("aws_vpc", &json!({"cidr_block": "a", "enable_dns_support": true}), &json!({"cidr_block": "a"}))
            .is_empty()
    );
    assert!(
        paths("aws_vpc", &json!({"cidr_block": "a"}), &json!({"cidr_block": "a", "new_in_a_later_provider": 1}))
            .is_empty()
    );
    assert_eq!(paths("aws_vpc", &json!({"cidr_block": "a"}), &json!({"cidr_block": null})), ["cidr_block"]);
    // Inside a block likewise, but in a map an absent key is a removed one.
    let options = |o: Value| json!({"metadata_options": [o]});
    assert!(
        paths(
            "aws_instance",
            &options(json!({"http_tokens": "required", "http_endpoint": "enabled"})),
            &options(json!({"http_tokens": "required"}))
        )
        .is_empty()
    );
    let variables = |v: Value| json!({"environment": [{"variables": v}]});
    assert_eq!(
        paths("aws_lambda_function", &variables(json!({"A": "1", "B": ""})), &variables(json!({"A": "1"}))),
        ["environment[0].variables.B"]
    );
}

#[test]
fn the_same_in_other_words_is_the_same() {
    for (provider_type, declared, live) in [
        (
            "aws_lambda_function",
            json!({"layers": null, "vpc_config": []}),
            json!({"layers": [], "vpc_config": [{"subnet_ids": [], "security_group_ids": [], "vpc_id": ""}]}),
        ),
        (
            "aws_sqs_queue",
            json!({"delay_seconds": "5", "fifo_queue": "false"}),
            json!({"delay_seconds": 5, "fifo_queue": false}),
        ),
        (
            "aws_db_instance",
            json!({"enabled_cloudwatch_logs_exports": ["b", "a"]}),
            json!({"enabled_cloudwatch_logs_exports": ["a", "b"]}),
        ),
        (
            "aws_dynamodb_table",
            json!({"attribute": [{"name": "a", "type": "S"}, {"name": "b", "type": "N"}]}),
            json!({"attribute": [{"type": "N", "name": "b"}, {"name": "a", "type": "S"}]}),
        ),
        (
            "aws_s3_bucket_policy",
            json!({"policy": "{\"Statement\":{\"Action\":\"a:b\"}}"}),
            json!({"policy": "{ \"Statement\": [ {\"Action\": [\"a:b\"]} ] }"}),
        ),
        ("aws_kms_key", json!({"rotation_period_in_days": 0}), json!({"rotation_period_in_days": 365})),
        (
            "aws_route53_record",
            json!({"zone_id": "z", "type": "A", "name": "A.example.com", "records": ["1"]}),
            json!({"zone_id": "z", "type": "A", "name": "a.example.com.", "records": ["1"]}),
        ),
        (
            "aws_sqs_queue",
            json!({"kms_master_key_id": "k-1"}),
            json!({"kms_master_key_id": "arn:aws:kms:eu-west-1:1:key/k-1"}),
        ),
        ("aws_vpc_endpoint", json!({"subnet_ids": ["a"]}), json!({"subnet_ids": ["a"], "timeouts": {"create": "1m"}})),
        (
            "aws_s3_bucket_server_side_encryption_configuration",
            json!({"rule": [{"bucket_key_enabled": null, "apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms"}]}]}),
            json!({"rule": [{"bucket_key_enabled": false, "apply_server_side_encryption_by_default": [{"sse_algorithm": "aws:kms"}]}]}),
        ),
    ] {
        let found = paths(provider_type, &declared, &live);
        assert!(found.is_empty(), "{provider_type} {declared} {live}: {found:?}");
    }
}

#[test]
fn paths_are_those_of_terraform() {
    for (provider_type, declared, live, wanted) in [
        (
            "aws_dynamodb_table",
            json!({"ttl": [{"enabled": true, "attribute_name": "t"}]}),
            json!({"ttl": [{"enabled": false, "attribute_name": "t"}]}),
            vec!["ttl[0].enabled"],
        ),
        (
            "aws_dynamodb_table",
            json!({"ttl": []}),
            json!({"ttl": [{"enabled": true, "attribute_name": "t"}]}),
            vec!["ttl[0].attribute_name", "ttl[0].enabled"],
        ),
        (
            "aws_vpc",
            json!({"tags": {"a.b": "1"}, "tags_all": {"a.b": "1"}}),
            json!({"tags": {"a.b": "2", "Owner": "x"}}),
            vec!["tags.Owner", "tags[\"a.b\"]"],
        ),
        (
            "aws_db_subnet_group",
            json!({"subnet_ids": ["a", "b"]}),
            json!({"subnet_ids": ["b", "c"]}),
            vec!["subnet_ids"],
        ),
        ("aws_lambda_function", json!({"layers": ["a", "b"]}), json!({"layers": ["a", "c"]}), vec!["layers[1]"]),
        (
            "aws_lambda_function",
            json!({"layers": ["a", "b"]}),
            json!({"layers": ["b", "a"]}),
            vec!["layers[0]", "layers[1]"],
        ),
        ("aws_lambda_function", json!({"layers": []}), json!({"layers": ["a"]}), vec!["layers"]),
        (
            "aws_lambda_function",
            json!({"environment": []}),
            json!({"environment": [{"variables": {"A": "1"}}]}),
            vec!["environment[0].variables"],
        ),
        (
            "aws_s3_bucket_lifecycle_configuration",
            json!({"bucket": "b", "rule": [{"id": "a", "status": "Enabled"}, {"id": "b", "status": "Enabled"}]}),
            json!({"bucket": "b", "rule": [{"id": "b", "status": "Disabled"}, {"id": "a", "status": "Enabled"}]}),
            vec!["rule[1].status"],
        ),
    ] {
        assert_eq!(paths(provider_type, &declared, &live), wanted, "{provider_type} {declared} {live}");
    }
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let sealed = json!({"id": "x-1", "password": KEY.seal(&json!("old")), "username": "u"});
    let mut database = declared("aws_db_instance.d", &sealed);
    database.sensitive_paths = vec!["password".into(), "username".into()];
    let same = report(
        vec![database.clone()],
        vec![live("aws_db_instance", "x-1", &json!({"password": "old", "username": "u"}))],
    );
    assert_lines(&same, &[]);
    let other = report(
        vec![database],
        vec![live("aws_db_instance", "x-1", &json!({"password": "new secret", "username": "somebody"}))],
    );
    assert_lines(&other, &["changed aws_db_instance.d password", "changed aws_db_instance.d username"]);
    assert!(other.items[0].changes.iter().all(|c| c.sensitive && c.declared.is_null() && c.live.is_null()));
    let text = serde_json::to_string(&other).unwrap();
    assert!(!text.contains("new secret") && !text.contains("somebody") && !text.contains("$sensitive"), "{text}");
}

#[test]
fn what_moves_by_itself_is_counted_and_listed_but_not_drift() {
    let report = report(
        vec![declared(
            "aws_instance.i",
            &json!({"id": "i-1", "public_ip": "1.2.3.4", "instance_state": "running", "instance_type": "t3.small"}),
        )],
        vec![live(
            "aws_instance",
            "i-1",
            &json!({"public_ip": "5.6.7.8", "instance_state": "stopped", "instance_type": "t3.small"}),
        )],
    );
    assert_lines(&report, &["changed aws_instance.i instance_state"]);
    assert_eq!((report.counts.noise_filtered, report.items[0].noise_filtered), (1, 1));
    assert_eq!(
        (report.filtered[0].rule.as_str(), report.filtered[0].path.as_deref()),
        ("aws.read-only", Some("public_ip"))
    );
}

fn drifted(rules: OrgRules) -> drift::compare::Report {
    let circumstances = Circumstances { rules, ..Circumstances::default() };
    report_under(
        &circumstances,
        vec![
            declared(
                "aws_iam_policy.p",
                &json!({"id": "arn:aws:iam::123456789012:policy/p", "arn": "arn:aws:iam::123456789012:policy/p", "attachment_count": 1, "path": "/"}),
            ),
            declared("aws_sqs_queue.gone", &queue("gone")),
        ],
        vec![
            live(
                "aws_iam_policy",
                "arn:aws:iam::123456789012:policy/p",
                &json!({"attachment_count": 2, "path": "/x/"}),
            ),
            live("aws_sqs_queue", "https://x/123456789012/extra", &queue("extra")),
        ],
    )
}

#[test]
fn an_organisation_may_switch_rules_off_and_add_its_own() {
    assert_lines(
        &drifted(OrgRules::default()),
        &[
            "changed aws_iam_policy.p path",
            "missing aws_sqs_queue.gone",
            "extra aws_sqs_queue https://x/123456789012/extra",
        ],
    );
    let off = OrgRules { disabled: vec!["aws.read-only".into(), "of-an-older-release".into()], ..OrgRules::default() };
    assert!(crate::support::lines(&drifted(off)).contains(&"changed aws_iam_policy.p attachment_count".to_owned()));
    let noise = |types: &str, attributes: &[&str], kinds: &[Kind]| CustomRule {
        id: "own".into(),
        name: "ours".into(),
        config: RuleConfig::Noise {
            types: vec![types.into()],
            attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
            kinds: kinds.to_vec(),
        },
    };
    let custom = OrgRules {
        custom: vec![noise("aws_iam_*", &["path"], &[]), noise("aws_sqs_queue", &[], &[Kind::Extra, Kind::Missing])],
        ..OrgRules::default()
    };
    let report = drifted(custom);
    assert_lines(&report, &[]);
    assert_eq!(report.filtered.iter().filter(|f| f.rule == "own").count(), 3);
    assert_eq!((report.counts.missing_count, report.counts.extra_count, report.counts.matched_count), (0, 0, 1));
}

#[test]
fn an_organisation_may_rate_differently_and_suppress() {
    let risk = CustomRule {
        id: "own".into(),
        name: "ours".into(),
        config: RuleConfig::Risk {
            types: vec!["aws_sqs_*".into()],
            attributes: vec![],
            kinds: vec![Kind::Extra],
            when: None,
            severity: Severity::Critical,
        },
    };
    let report = drifted(OrgRules { custom: vec![risk], ..OrgRules::default() });
    let of = |kind| report.items.iter().find(|i| i.kind == kind).unwrap().severity;
    assert_eq!((of(Kind::Extra), report.risk_level), (Severity::Critical, RiskLevel::Critical));
    let address = "aws_iam_policy.p";
    let suppressions = vec![
        Suppression { fingerprint: fingerprint(address, "path", Kind::Changed), resource_address: address.into() },
        Suppression {
            fingerprint: fingerprint("aws_sqs_queue.gone", "", Kind::Missing),
            resource_address: "aws_sqs_queue.gone".into(),
        },
    ];
    assert_lines(
        &drifted(OrgRules { suppressions, ..OrgRules::default() }),
        &["extra aws_sqs_queue https://x/123456789012/extra"],
    );
}

#[test]
fn how_much_it_matters_depends_on_the_values() {
    let group = |rules: Value| map(&json!({"id": "sg-1", "ingress": rules}));
    let rule = |cidr: &str| json!([{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": [cidr]}]);
    for (cidr, severity) in [("0.0.0.0/0", Severity::Critical), ("10.0.0.0/8", Severity::High)] {
        let report = report(
            vec![declared("aws_security_group.g", &json!({"id": "sg-1", "ingress": []}))],
            vec![live("aws_security_group", "sg-1", &Value::Object(group(rule(cidr))))],
        );
        assert_eq!(report.items[0].severity, severity, "{cidr}");
    }
    let tagged = report(
        vec![declared("aws_security_group.g", &json!({"id": "sg-1", "tags": {}, "tags_all": {}}))],
        vec![live("aws_security_group", "sg-1", &json!({"tags": {"a": "b"}}))],
    );
    assert_eq!(tagged.items[0].severity, Severity::Low);
}
