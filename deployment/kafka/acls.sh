#!/usr/bin/env bash
# Made by `lexecon acls --format kafka-acls`: the rights of each principal. It may run any number of times.
# KAFKA_ACLS is the tool, BOOTSTRAP the brokers, COMMAND_CONFIG a file of client settings for it.
set -euo pipefail
allow() {
	local user=$1
	shift
	"${KAFKA_ACLS:-kafka-acls.sh}" --bootstrap-server "${BOOTSTRAP:-kafka:9092}" \
		${COMMAND_CONFIG:+--command-config "$COMMAND_CONFIG"} \
		--add --force --allow-principal "User:$user" "$@"
}

# service: lexecon-consumer, all processes alike
allow 'lexecon' --operation Read --topic lexecon.requests # consuming
allow 'lexecon' --operation Write --topic lexecon.verdicts # answering
allow 'lexecon' --operation Write --operation Read --operation DescribeConfigs --topic lexecon.ledger # recording; recovery, the mirror; the check of ledger_requirements at start
allow 'lexecon' --operation Write --topic lexecon.dead-letters # what cannot be decoded
allow 'lexecon' --operation Read --operation Write --topic lexecon.policies # policy=topic:<policy_id>; the text of a policy over 48 KiB
allow 'lexecon' --operation Read --group lexecon # the consumer group, and its offsets in transactions
allow 'lexecon' --operation Write --resource-pattern-type prefixed --transactional-id lexecon. # transactions: <group>.<node_id>.<instance>.<slot>

# gateway: asks for leave on behalf of agents
allow 'lexecon-gateway' --operation Write --topic lexecon.requests # asking; whoever may do so vouches for `actor`
allow 'lexecon-gateway' --operation Read --topic lexecon.verdicts # the answers

# auditor: verifies the ledger
allow 'lexecon-auditor' --operation Read --operation DescribeConfigs --topic lexecon.ledger # verifying; role=audit; role=audit checks ledger_requirements at start
allow 'lexecon-auditor' --operation Read --topic lexecon.policies # making decisions again whose policy is archived

# policy-author: publishes signed policies by topic
allow 'lexecon-policy-author' --operation Read --operation Write --topic lexecon.policies # which version is published already; publishing; nodes still check the signature

# admin: makes and checks topics, looks at dead letters
allow 'lexecon-admin' --operation Create --operation DescribeConfigs --operation Read --operation Write --topic lexecon.requests # `lexecon topics create`; `lexecon topics check`; `lexecon dlq replay` looks for what was replayed already; `lexecon dlq replay`
allow 'lexecon-admin' --operation Create --operation Describe --operation DescribeConfigs --topic lexecon.verdicts # `lexecon topics create`; `lexecon topics check`
allow 'lexecon-admin' --operation Create --operation Describe --operation DescribeConfigs --topic lexecon.ledger # `lexecon topics create`; `lexecon topics check`
allow 'lexecon-admin' --operation Create --operation DescribeConfigs --operation Read --topic lexecon.dead-letters # `lexecon topics create`; `lexecon topics check`; `lexecon dlq list`, `lexecon dlq replay`
allow 'lexecon-admin' --operation Create --operation Describe --operation DescribeConfigs --topic lexecon.policies # `lexecon topics create`; `lexecon topics check`
