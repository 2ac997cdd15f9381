import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import org.apache.activemq.artemis.api.core.QueueConfiguration;
import org.apache.activemq.artemis.api.core.RoutingType;
import org.apache.activemq.artemis.core.config.impl.ConfigurationImpl;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.jms.client.ActiveMQConnectionFactory;

/** A JMS broker on the port given, and somebody who prints what the topic given is told. */
public final class Broker {
    public static void main(String[] args) throws Exception {
        String url = "tcp://127.0.0.1:" + args[0];
        EmbeddedActiveMQ broker = new EmbeddedActiveMQ();
        broker.setConfiguration(new ConfigurationImpl()
                .setPersistenceEnabled(false)
                .setSecurityEnabled(false)
                // Keeps what comes before anybody listens.
                .addQueueConfiguration(QueueConfiguration.of("heard")
                        .setAddress(args[1])
                        .setRoutingType(RoutingType.MULTICAST))
                .addAcceptorConfiguration("tcp", url));
        broker.start();
        var connection = new ActiveMQConnectionFactory(url).createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        var consumer = session.createConsumer(session.createQueue(args[1] + "::heard"));
        System.out.println("broker is up");
        while (true) {
            TextMessage message = (TextMessage) consumer.receive();
            System.out.println("heard " + message.getText() + " gone=" + message.getBooleanProperty("DromedaryGone"));
        }
    }
}
