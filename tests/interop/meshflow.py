"""MeshFlow: five runs, and between them every way in which 1.14.0 tells about one.

1. `Mesh.run` with four agents, its tracer over gRPC (MeshFlow's default), the cloud reporter.
2. The same over http/protobuf, named in the environment as the guide says.
3. A workflow of one node that passes and one that fails: the tracer's node spans, the JSON
   exporter's steps, and the same steps again from the Phoenix exporter.
4. One agent on its own, which the JSON exporter tells with OpenTelemetry's names.
5. A workflow under the zero trust tier `advanced`, which streams events to a SIEM and denies what
   nobody registered.

Needs OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, MESHSCOPE_GRPC for
1, MESHFLOW_CLOUD_KEY and MESHFLOW_CLOUD_ENDPOINT, PHOENIX_COLLECTOR_ENDPOINT, MESHFLOW_SIEM_HTTP_URL,
OPENAI_BASE_URL and OPENAI_API_KEY. Prints the run ids as JSON.
"""

import asyncio
import json
import os
import tempfile
import threading
import uuid

from meshflow import Agent, Mesh
from meshflow.agents.base import AgentConfig
from meshflow.core.ledger import ReplayLedger
from meshflow.core.mesh import CriticAgent, ExecutorAgent, PlannerAgent, ResearcherAgent
from meshflow.core.node import MeshNode, NodeOutput
from meshflow.core.schemas import AgentRole, Policy
from meshflow.core.workflow import WorkflowDefinition
from meshflow.observability.arize_phoenix import PhoenixExporter

TASK = "Compare three ways to store traces of agents, weigh their cost, and write a plan with risks and steps"
ROLES = {
    AgentRole.PLANNER: PlannerAgent,
    AgentRole.RESEARCHER: ResearcherAgent,
    AgentRole.EXECUTOR: ExecutorAgent,
    AgentRole.CRITIC: CriticAgent,
}


async def mesh_run(name, **telemetry):
    policy = Policy()
    agents = [cls(AgentConfig(role=role, model="gpt-4o-mini"), policy) for role, cls in ROLES.items()]
    result = await Mesh(agents=agents, policy=policy, name=name, **telemetry).run(TASK)
    return result.run_id


def research(task, context):
    return NodeOutput(content="found", structured={"cost_usd": 0.0012}, tokens_used=148)


def failing(task, context):
    raise RuntimeError("boom")


async def workflow_run(directory):
    workflow = WorkflowDefinition("interop-workflow")
    workflow.add_node(MeshNode.from_callable("research", research))
    workflow.add_node(MeshNode.from_callable("failing", failing))
    workflow.add_edge("research", "failing")
    database = os.path.join(directory, "runs.db")
    result = await Mesh().run_workflow(workflow, "look", ledger_db=database)
    for step in await ReplayLedger(database).get_run(result.run_id):
        assert PhoenixExporter().export_step(step, result.run_id), "the Phoenix exporter was refused"
    return result.run_id


async def agent_run():
    run_id = str(uuid.uuid4())
    await Agent(name="solo", role="researcher", model="gpt-4o-mini").run(TASK, {"run_id": run_id})
    return run_id


async def denied_run():
    os.environ["MESHFLOW_ZT_TIER"] = "advanced"
    workflow = WorkflowDefinition("interop-denied")
    workflow.add_node(MeshNode.from_callable("research", research))
    return (await Mesh().run_workflow(workflow, "look")).run_id


async def main():
    with tempfile.TemporaryDirectory() as directory:
        runs = [
            await mesh_run(
                "interop-grpc",
                telemetry_otlp_endpoint=os.environ["MESHSCOPE_GRPC"],
                telemetry_otlp_protocol="grpc",
            ),
            await mesh_run("interop-http"),
            await workflow_run(directory),
            await agent_run(),
            await denied_run(),
        ]
    return runs


runs = asyncio.run(main())
# The cloud reporter and the SIEM's post in daemon threads, which Python does not wait for.
for thread in threading.enumerate():
    if thread.daemon and "Processor" not in thread.name:
        thread.join(10)
print(json.dumps(runs))
