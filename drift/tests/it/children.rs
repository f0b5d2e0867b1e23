//! Who answers for a difference that can be said in two places.

use crate::support::{assert_lines, declared, live, report};
use serde_json::{Value, json};

fn rule(port: u16, cidr: &str) -> Value {
    json!({"cidr_blocks": [cidr], "description": "", "from_port": port, "to_port": port, "protocol": "tcp", "ipv6_cidr_blocks": [], "prefix_list_ids": [],
        "security_groups": [], "self": false})
}

fn ingress(id: &str, port: u16, cidr: &str) -> drift::LiveResource {
    let mut rule = live(
        "aws_vpc_security_group_ingress_rule",
        id,
        &json!({"security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": cidr, "description": null}),
    );
    rule.part_of = Some("aws_security_group.sg-1".into());
    rule
}

fn group(rules: &[Value]) -> Value {
    json!({"id": "sg-1", "name": "web", "ingress": rules, "egress": []})
}

#[test]
fn rules_inside_a_group_are_answered_for_by_the_group() {
    let report = report(
        vec![declared("aws_security_group.web", &group(&[rule(443, "a")]))],
        vec![
            live("aws_security_group", "sg-1", &group(&[rule(443, "a"), rule(22, "b")])),
            ingress("sgr-1", 443, "a"),
            ingress("sgr-2", 22, "b"),
        ],
    );
    assert_lines(&report, &["changed aws_security_group.web ingress"]);
    assert_eq!((report.counts.total_live, report.counts.not_extra_count), (1, 2));
}

#[test]
fn rules_beside_a_group_answer_for_themselves() {
    let beside = |id: &str, port: u16, cidr: &str| json!({"id": id, "security_group_id": "sg-1", "ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": cidr, "description": null, "tags": null, "tags_all": {}});
    // In the state just applied the group has no rules, in a refreshed one it mirrors them: no difference for us.
    for inside in [vec![], vec![rule(443, "a"), rule(80, "c")]] {
        let report = report(
            vec![
                declared("aws_security_group.web", &group(&inside)),
                declared("aws_vpc_security_group_ingress_rule.https", &beside("sgr-1", 443, "a")),
                declared("aws_vpc_security_group_ingress_rule.http", &beside("sgr-3", 80, "c")),
            ],
            vec![
                live("aws_security_group", "sg-1", &group(&[rule(443, "z"), rule(22, "b")])),
                ingress("sgr-1", 443, "z"),
                ingress("sgr-2", 22, "b"),
            ],
        );
        assert_lines(
            &report,
            &[
                "changed aws_vpc_security_group_ingress_rule.https cidr_ipv4",
                "missing aws_vpc_security_group_ingress_rule.http",
                "extra aws_vpc_security_group_ingress_rule sgr-2",
            ],
        );
    }
}

#[test]
fn older_rules_are_found_in_the_newer_ones() {
    let older = |name: &str, cidrs: &[&str]| {
        let attributes = json!({"id": format!("sgrule-{name}"), "type": "ingress", "security_group_id": "sg-1", "protocol": "tcp", "from_port": 443, "to_port": 443,
            "cidr_blocks": cidrs, "self": false, "source_security_group_id": null});
        declared(&format!("aws_security_group_rule.{name}"), &attributes)
    };
    let report = report(
        vec![
            declared("aws_security_group.web", &group(&[])),
            older("both", &["a", "b"]),
            older("half", &["a", "gone"]),
            older("none", &["gone"]),
        ],
        vec![
            live("aws_security_group", "sg-1", &group(&[rule(443, "a"), rule(443, "b"), rule(22, "c")])),
            ingress("sgr-1", 443, "a"),
            ingress("sgr-2", 443, "b"),
            ingress("sgr-3", 22, "c"),
        ],
    );
    assert_lines(
        &report,
        &[
            "missing aws_security_group_rule.half",
            "missing aws_security_group_rule.none",
            "extra aws_vpc_security_group_ingress_rule sgr-3",
        ],
    );
}

fn route(cidr: &str, gateway: &str) -> Value {
    json!({"cidr_block": cidr, "gateway_id": gateway, "nat_gateway_id": "", "destination_prefix_list_id": ""})
}

fn live_route(cidr: &str, gateway: &str) -> drift::LiveResource {
    let mut route = live(
        "aws_route",
        &format!("rtb-1_{cidr}"),
        &json!({"route_table_id": "rtb-1", "destination_cidr_block": cidr, "gateway_id": gateway}),
    );
    route.part_of = Some("aws_route_table.rtb-1".into());
    route
}

#[test]
fn routes_inside_a_table_are_answered_for_by_the_table() {
    let report = report(
        vec![declared("aws_route_table.main", &json!({"id": "rtb-1", "route": [route("0.0.0.0/0", "igw-1")]}))],
        vec![
            live(
                "aws_route_table",
                "rtb-1",
                &json!({"route": [route("10.0.0.0/16", "local"), route("0.0.0.0/0", "igw-1"), route("10.9.0.0/16", "igw-1")]}),
            ),
            live_route("0.0.0.0/0", "igw-1"),
            live_route("10.9.0.0/16", "igw-1"),
        ],
    );
    assert_lines(&report, &["changed aws_route_table.main route"]);
    assert_eq!(report.items[0].changes[0].live, json!([route("10.9.0.0/16", "igw-1")]));
}

#[test]
fn routes_beside_a_table_answer_for_themselves() {
    let beside = json!({"id": "r-rtb-11080289494", "route_table_id": "rtb-1", "destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1", "nat_gateway_id": ""});
    let report = report(
        vec![
            declared("aws_route_table.main", &json!({"id": "rtb-1", "route": []})),
            declared("aws_route.out", &beside),
        ],
        vec![
            live(
                "aws_route_table",
                "rtb-1",
                &json!({"route": [route("0.0.0.0/0", "igw-2"), route("10.9.0.0/16", "igw-1")]}),
            ),
            live_route("0.0.0.0/0", "igw-2"),
            live_route("10.9.0.0/16", "igw-1"),
        ],
    );
    assert_lines(&report, &["changed aws_route.out gateway_id", "extra aws_route rtb-1_10.9.0.0/16"]);
}

fn attachment(role: &str, policy: &str) -> drift::LiveResource {
    let mut attachment = live(
        "aws_iam_role_policy_attachment",
        &format!("{role}/{policy}"),
        &json!({"role": role, "policy_arn": policy}),
    );
    attachment.part_of = Some(format!("aws_iam_role.{role}"));
    attachment
}

#[test]
fn grants_to_a_role_are_extra_unless_the_role_lists_its_own() {
    let role = |name: &str, policies: &[&str]| {
        declared(
            &format!("aws_iam_role.{name}"),
            &json!({"id": name, "name": name, "managed_policy_arns": policies, "inline_policy": []}),
        )
    };
    let shown = |name: &str, policies: &[&str]| {
        live("aws_iam_role", name, &json!({"name": name, "managed_policy_arns": policies, "inline_policy": []}))
    };
    let report = report(
        vec![
            role("bare", &[]),
            role("listed", &["p"]),
            role("beside", &["p"]),
            declared(
                "aws_iam_role_policy_attachment.beside",
                &json!({"id": "beside-2026", "role": "beside", "policy_arn": "p"}),
            ),
        ],
        vec![
            shown("bare", &["x"]),
            shown("listed", &["p", "x"]),
            shown("beside", &["p", "x"]),
            attachment("bare", "x"),
            attachment("listed", "p"),
            attachment("listed", "x"),
            attachment("beside", "p"),
            attachment("beside", "x"),
        ],
    );
    assert_lines(
        &report,
        &[
            "changed aws_iam_role.listed managed_policy_arns",
            "extra aws_iam_role_policy_attachment bare/x",
            "extra aws_iam_role_policy_attachment beside/x",
        ],
    );
}

fn setting(provider_type: &str, properties: &Value) -> drift::LiveResource {
    let mut setting = live(provider_type, "b", properties);
    setting.part_of = Some("aws_s3_bucket.b".into());
    setting
}

#[test]
fn settings_of_a_bucket_are_told_where_they_are_declared() {
    let bucket = json!({"id": "b", "bucket": "b", "policy": "", "versioning": [{"enabled": false, "mfa_delete": false}],
        "server_side_encryption_configuration": [], "grant": []});
    let shown = json!({"bucket": "b", "policy": "{\"Statement\":[]}", "versioning": [{"enabled": true, "mfa_delete": false}],
        "server_side_encryption_configuration": [{"rule": [{"apply_server_side_encryption_by_default": [{"kms_master_key_id": "", "sse_algorithm": "AES256"}], "bucket_key_enabled": false}]}],
        "grant": [{"id": "owner", "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}]});
    let split =
        json!({"id": "b", "bucket": "b", "versioning_configuration": [{"status": "Suspended", "mfa_delete": ""}]});
    let settings = || {
        vec![
            live("aws_s3_bucket", "b", &shown),
            setting(
                "aws_s3_bucket_versioning",
                &json!({"bucket": "b", "versioning_configuration": [{"status": "Enabled"}]}),
            ),
            setting("aws_s3_bucket_policy", &json!({"bucket": "b", "policy": "{\"Statement\":[]}"})),
            setting(
                "aws_s3_bucket_public_access_block",
                &json!({"bucket": "b", "block_public_acls": true, "block_public_policy": true, "ignore_public_acls": true, "restrict_public_buckets": true}),
            ),
            setting(
                "aws_s3_bucket_ownership_controls",
                &json!({"bucket": "b", "rule": [{"object_ownership": "ObjectWriter"}]}),
            ),
        ]
    };
    let alone = report(vec![declared("aws_s3_bucket.b", &bucket)], settings());
    assert_lines(
        &alone,
        &[
            "changed aws_s3_bucket.b policy",
            "changed aws_s3_bucket.b versioning[0].enabled",
            "extra aws_s3_bucket_ownership_controls b",
        ],
    );
    let beside =
        report(vec![declared("aws_s3_bucket.b", &bucket), declared("aws_s3_bucket_versioning.b", &split)], settings());
    assert_lines(
        &beside,
        &[
            "changed aws_s3_bucket.b policy",
            "changed aws_s3_bucket_versioning.b versioning_configuration[0].status",
            "extra aws_s3_bucket_ownership_controls b",
        ],
    );
}

#[test]
fn what_comes_with_something_extra_is_not_listed_again_but_grants_are() {
    let mut volume = live("aws_ebs_volume", "vol-1", &json!({"size": 8}));
    volume.part_of = Some("aws_instance.i-1".into());
    let mut rule = ingress("sgr-1", 22, "0.0.0.0/0");
    rule.part_of = Some("aws_security_group.sg-1".into());
    let report = report(
        vec![],
        vec![
            live("aws_instance", "i-1", &json!({})),
            volume,
            live("aws_security_group", "sg-1", &json!({"name": "debug"})),
            rule,
            live("aws_iam_role", "temp", &json!({"name": "temp"})),
            attachment("temp", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ],
    );
    assert_lines(
        &report,
        &[
            "extra aws_instance i-1",
            "extra aws_security_group sg-1",
            "extra aws_iam_role temp",
            "extra aws_iam_role_policy_attachment temp/arn:aws:iam::aws:policy/AdministratorAccess",
        ],
    );
    assert_eq!(report.filtered.iter().filter(|f| f.rule == "part-of-extra").count(), 2);
}

#[test]
fn memberships_are_one_each() {
    let user = |groups: &[&str]| live("aws_iam_user_group_membership", "u", &json!({"user": "u", "groups": groups}));
    let of = |groups: &[&str]| {
        declared("aws_iam_user_group_membership.m", &json!({"id": "2026", "user": "u", "groups": groups}))
    };
    assert_lines(&report(vec![of(&["a", "b"])], vec![user(&["b", "a"])]), &[]);
    assert_lines(
        &report(vec![of(&["a", "b"])], vec![user(&["a"])]),
        &["changed aws_iam_user_group_membership.m groups"],
    );
    assert_lines(
        &report(vec![of(&["a"])], vec![user(&["a", "admins"])]),
        &["extra aws_iam_user_group_membership u/admins"],
    );
    let whole = declared("aws_iam_group_membership.m", &json!({"id": "x", "name": "x", "group": "a", "users": ["u"]}));
    assert_lines(&report(vec![whole], vec![user(&["a"])]), &[]);
}

#[test]
fn children_of_account_defaults_are_defaults_but_routes_are_somebodys_work() {
    let mut table = live("aws_route_table", "rtb-1", &json!({}));
    table.managed_by = Some("main route table of vpc-1".into());
    let mut acl_rule =
        live("aws_network_acl_rule", "x", &json!({"network_acl_id": "acl-1", "rule_number": 100, "egress": false}));
    acl_rule.part_of = Some("aws_network_acl.acl-1".into());
    let mut acl = live("aws_network_acl", "acl-1", &json!({}));
    acl.managed_by = Some("default network ACL".into());
    let report = report(vec![], vec![table, live_route("0.0.0.0/0", "igw-1"), acl, acl_rule]);
    assert_lines(&report, &["extra aws_route rtb-1_0.0.0.0/0"]);
}
