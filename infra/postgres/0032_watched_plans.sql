-- The edge's clock of plans reads those that have not ended when it starts; it moves none.
GRANT SELECT ON ledger.plan, ledger.plan_slice TO outcry_edge;
