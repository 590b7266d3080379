import java.util.ArrayList;
import java.util.List;

import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch: its folder, its modules (empty: all), its settings, `name=value` each. */
public final class Node {
  public static void main(String[] arguments) throws Exception {
    OpenSearchRunner runner = new OpenSearchRunner();
    runner.onBuild((number, settings) -> {
      settings.putList("discovery.seed_hosts");
      // It names a first master, which a single node may not.
      settings.remove("cluster.initial_master_nodes");
      settings.remove("cluster.initial_cluster_manager_nodes");
      for (int i = 2; i < arguments.length; i++) {
        String[] pair = arguments[i].split("=", 2);
        if (pair[1].contains(",")) {
          settings.putList(pair[0], pair[1].split(","));
        } else {
          settings.put(pair[0], pair[1]);
        }
      }
    });
    List<String> options = new ArrayList<>(
        List.of("-basePath", arguments[0], "-numOfNode", "1", "-clusterName", "testbed"));
    if (!arguments[1].isEmpty()) {
      options.addAll(List.of("-moduleTypes", arguments[1]));
    }
    runner.build(options.toArray(String[]::new));
    Thread.sleep(Long.MAX_VALUE);
  }
}
